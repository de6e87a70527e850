import { Button, Group, Modal, Stack } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError, errorText } from '../../api/error'
import { snoozeJob } from '../../api/jobs'
import type { Job } from '../../api/types'
import { dateTime } from '../../lib/time'
import { InstantInput } from '../../ui/InstantInput'
import { notifyDone } from '../../ui/notify'
import { useJobActions } from './useJobActions'

const HOUR = 3_600_000
/** Lengths that are one click away. */
export const SNOOZE_PRESETS = [
  ['hour', HOUR],
  ['hours', 4 * HOUR],
  ['day', 24 * HOUR],
  ['week', 168 * HOUR],
] as const

/** Lets a job rest until an instant. */
export function SnoozeDialog({ job, onClose }: { job: Job; onClose: () => void }) {
  const { t, i18n } = useTranslation()
  const client = useQueryClient()
  const { show } = useJobActions()
  const [until, setUntil] = useState(job.snooze?.until)
  const save = useMutation({
    mutationFn: () => snoozeJob(job.id, until ?? ''),
    onSuccess: async (snoozed) => {
      show(snoozed)
      const shown = dateTime(snoozed.snooze?.until ?? until ?? '', i18n.language)
      notifyDone(t('snooze.done', { job: job.spec.name, until: shown }))
      onClose()
      await client.invalidateQueries({ queryKey: ['preview'] })
    },
  })
  const refused = save.error ? errorText(asApiError(save.error)) : undefined
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('snooze.title', { job: job.spec.name })}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <form onSubmit={submit}>
        <Stack gap={14}>
          <p className="dim">{t('snooze.text')}</p>
          <Group gap={8}>
            {SNOOZE_PRESETS.map(([word, length]) => (
              <Button
                key={word}
                variant="default"
                size="compact-sm"
                onClick={() => setUntil(new Date(Date.now() + length).toISOString())}
              >
                {t(`snooze.preset.${word}`)}
              </Button>
            ))}
          </Group>
          <InstantInput label={t('snooze.until')} value={until} onChange={setUntil} error={refused} />
          <Button type="submit" loading={save.isPending} disabled={!until} style={{ alignSelf: 'flex-end' }}>
            {t('snooze.action')}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
