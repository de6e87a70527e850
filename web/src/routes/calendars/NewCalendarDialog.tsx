import { Button, Modal, Select, Stack, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { createCalendar } from '../../api/calendars'
import { asApiError, errorText } from '../../api/error'
import { BaseSelect } from '../../features/calendar/BaseSelect'
import { useScopes } from '../../features/window/useScopes'
import { notifyDone } from '../../ui/notify'

const FLEET = 'fleet'
const FIELDS = ['spec.name', 'spec.weekdays', 'spec.extends']

/** Makes a calendar; its dates are chosen on its page. */
export function NewCalendarDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const scopes = useScopes(FLEET)
  const [scope, setScope] = useState<string | null>(scopes.length === 1 ? (scopes[0]?.value ?? null) : null)
  const [name, setName] = useState('')
  const [base, setBase] = useState({ extends: undefined as string | undefined, weekdays: MONDAY_TO_FRIDAY })
  const save = useMutation({
    mutationFn: () =>
      createCalendar({
        group_id: scope === FLEET ? undefined : scope,
        spec: { name: name.trim(), ...base },
      }),
    onSuccess: async (made) => {
      await client.invalidateQueries({ queryKey: ['calendars'] })
      notifyDone(t('calendars.madeDone', { name: made.spec.name }))
      onClose()
      await navigate({ to: '/calendars/$calendar', params: { calendar: made.id }, search: { edit: '1' } })
    },
  })
  const refused = save.error ? asApiError(save.error) : undefined
  const errorAt = (field: string) => (refused?.field === field ? errorText(refused) : undefined)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('calendars.new')}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <form onSubmit={submit}>
        <Stack gap={14}>
          {refused && !FIELDS.includes(refused.field ?? '') && (
            <p role="alert" className="danger">
              {errorText(refused)}
            </p>
          )}
          <TextInput
            label={t('calendars.name')}
            description={t('calendars.nameText')}
            value={name}
            maxLength={64}
            spellCheck={false}
            data-autofocus
            onChange={(event) => setName(event.currentTarget.value)}
            error={errorAt('spec.name')}
          />
          <Select label={t('calendars.owner')} data={scopes} value={scope} onChange={setScope} />
          <BaseSelect
            value={base}
            onChange={(next) =>
              setBase({ extends: next.extends ?? undefined, weekdays: next.weekdays ?? [] })
            }
            error={errorAt('spec.weekdays') ?? errorAt('spec.extends')}
          />
          <Button
            type="submit"
            loading={save.isPending}
            disabled={!scope || !name.trim()}
            style={{ alignSelf: 'flex-end' }}
          >
            {t('calendars.make')}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}

const MONDAY_TO_FRIDAY = ['MON', 'TUE', 'WED', 'THU', 'FRI']
