import { Button, Modal, MultiSelect, NumberInput, Stack, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { updateAgent } from '../../api/agents'
import { errorText } from '../../api/error'
import type { Agent } from '../../api/types'
import { useGroupOptions } from '../../features/group/useGroups'
import { notifyDone } from '../../ui/notify'

/** Name, groups and limits of an agent. */
export function EditAgentDialog({ agent, onClose }: { agent: Agent; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const groups = useGroupOptions()
  const [name, setName] = useState(agent.name)
  const [groupIds, setGroupIds] = useState(agent.group_ids)
  const [runningMax, setRunningMax] = useState(agent.run_limits.running_max ?? undefined)
  const [rate, setRate] = useState(agent.run_limits.starts_per_second ?? undefined)
  const save = useMutation({
    mutationFn: () =>
      updateAgent(agent.id, {
        name: name.trim(),
        group_ids: groupIds,
        run_limits: { running_max: runningMax ?? null, starts_per_second: rate ?? null },
      }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['agents'] })
      await client.invalidateQueries({ queryKey: ['groups'] })
      notifyDone(t('agents.edit.done', { agent: name.trim() }))
      onClose()
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('agents.edit.title', { agent: agent.name })}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <form onSubmit={submit}>
        <Stack gap={14}>
          <TextInput
            label={t('agents.name')}
            value={name}
            maxLength={64}
            onChange={(event) => setName(event.currentTarget.value)}
            error={save.error && errorText(save.error)}
            data-autofocus
          />
          <MultiSelect
            label={t('agents.serves')}
            description={t('agents.edit.groupsText')}
            data={groups}
            value={groupIds}
            onChange={setGroupIds}
            searchable
          />
          <NumberInput
            label={t('agents.edit.runningMax')}
            description={t('agents.edit.runningMaxText')}
            placeholder={t('editor.noLimit')}
            value={runningMax ?? ''}
            min={1}
            max={100_000}
            allowDecimal={false}
            clampBehavior="blur"
            onChange={(value) => setRunningMax(Number(value) || undefined)}
          />
          <NumberInput
            label={t('agents.edit.startsPerSecond')}
            placeholder={t('editor.noLimit')}
            value={rate ?? ''}
            min={1}
            max={1_000}
            allowDecimal={false}
            clampBehavior="blur"
            onChange={(value) => setRate(Number(value) || undefined)}
          />
          <Button type="submit" loading={save.isPending} style={{ alignSelf: 'flex-end' }}>
            {t('common.save')}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
