import { Button, Modal, MultiSelect, Stack, TagsInput, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError, errorText } from '../../api/error'
import { createGroup, updateGroup } from '../../api/groups'
import type { Group } from '../../api/types'
import { useAgentOptions } from '../../features/agent/useAgents'
import { notifyDone } from '../../ui/notify'

/** Makes a group, or changes its name, run-as users and agents. */
export function GroupDialog({ group, onClose }: { group?: Group; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const agents = useAgentOptions()
  const [name, setName] = useState(group?.name ?? '')
  const [description, setDescription] = useState(group?.description ?? '')
  const [runAs, setRunAs] = useState(group?.run_as ?? [])
  const [agentIds, setAgentIds] = useState(group?.agent_ids ?? [])
  const save = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), description, run_as: runAs, agent_ids: agentIds }
      return group ? updateGroup(group.id, body) : createGroup(body)
    },
    onSuccess: async (saved) => {
      client.setQueryData(['groups', saved.id], saved)
      await client.invalidateQueries({ queryKey: ['groups'] })
      await client.invalidateQueries({ queryKey: ['agents'] })
      notifyDone(t(group ? 'groups.savedDone' : 'groups.createdDone', { group: saved.name }))
      onClose()
      if (!group) await navigate({ to: '/groups/$groupId', params: { groupId: saved.id } })
    },
  })
  const refused = save.error ? asApiError(save.error) : undefined
  const errorAt = (field: string) => (refused?.field?.startsWith(field) ? errorText(refused) : undefined)
  const isElsewhere = refused && !/^(name|description|run_as|agent_ids)/.test(refused.field ?? '')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={group ? t('groups.editTitle', { group: group.name }) : t('groups.new')}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <form onSubmit={submit}>
        <Stack gap={14}>
          {isElsewhere && (
            <p role="alert" className="danger">
              {errorText(refused)}
            </p>
          )}
          <TextInput
            label={t('groups.name')}
            value={name}
            maxLength={64}
            required
            withAsterisk={false}
            data-autofocus
            onChange={(event) => setName(event.currentTarget.value)}
            error={errorAt('name')}
          />
          <Textarea
            label={t('field.description')}
            value={description}
            autosize
            minRows={1}
            maxRows={5}
            maxLength={1_000}
            onChange={(event) => setDescription(event.currentTarget.value)}
            error={errorAt('description')}
          />
          <TagsInput
            label={t('field.run_as')}
            description={t('groups.runAsText')}
            value={runAs}
            onChange={setRunAs}
            splitChars={[',', ' ']}
            placeholder={runAs.length === 0 ? 'www-data' : undefined}
            error={errorAt('run_as')}
          />
          <MultiSelect
            label={t('nav.agents')}
            description={t('groups.agentsText')}
            data={agents}
            value={agentIds}
            onChange={setAgentIds}
            searchable
            error={errorAt('agent_ids')}
          />
          <Button type="submit" loading={save.isPending} style={{ alignSelf: 'flex-end' }}>
            {group ? t('common.save') : t('groups.create')}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
