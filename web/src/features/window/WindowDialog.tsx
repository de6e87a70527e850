import { Button, Modal, SegmentedControl, Select, Stack, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError, errorText } from '../../api/error'
import type { Job, Window } from '../../api/types'
import { createWindow, replaceWindow } from '../../api/windows'
import { InstantInput } from '../../ui/InstantInput'
import { notifyDone } from '../../ui/notify'
import { SpanInput } from '../../ui/SpanInput'
import { useScopes } from './useScopes'

interface WindowDialogProps {
  /** The window to change; a new one when absent. */
  window?: Window
  /** The job that a new one holds; chosen among groups and the fleet when absent. */
  job?: Job
  onClose: () => void
}

const FLEET = 'fleet'

/** Makes a window or changes one from now on. */
export function WindowDialog({ window, job, onClose }: WindowDialogProps) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const scopes = useScopes(FLEET)
  const [scope, setScope] = useState<string | null>(null)
  const [reason, setReason] = useState(window?.reason ?? '')
  const [isAgain, setAgain] = useState(Boolean(window?.recurring))
  const [from, setFrom] = useState(window?.once?.from ?? undefined)
  const [until, setUntil] = useState(window?.once?.until)
  const [expression, setExpression] = useState(window?.recurring?.expression ?? '0 22 * * 6')
  const [zone, setZone] = useState(window?.recurring?.time_zone ?? '')
  const [lasts, setLasts] = useState<number | undefined>(window?.recurring?.lasts_ms ?? 4 * 3_600_000)
  const isChosen = window || job || scope
  const isComplete = isChosen && reason.trim() && (isAgain ? expression.trim() && lasts : until)
  const save = useMutation({
    mutationFn: () => {
      const when = isAgain
        ? { recurring: { expression, time_zone: zone.trim() || undefined, lasts_ms: lasts ?? 0 } }
        : { once: { from, until: until ?? '' } }
      if (window) return replaceWindow(window.id, window.version, { reason, ...when })
      const group_id = !job && scope !== FLEET ? (scope ?? undefined) : undefined
      return createWindow({ job_id: job?.id, group_id, reason, ...when })
    },
    onSuccess: async () => {
      notifyDone(t(window ? 'windows.changedDone' : 'windows.madeDone'))
      onClose()
      const keys = [['windows'], ['jobs'], ['preview']]
      await Promise.all(keys.map((queryKey) => client.invalidateQueries({ queryKey })))
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
      title={t(window ? 'windows.edit' : 'windows.new')}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <form onSubmit={submit}>
        <Stack gap={14}>
          {refused && !FIELDS.includes(refused.field ?? '') && (
            <p role="alert" className="danger">
              {errorText(refused)}
            </p>
          )}
          {job && <p>{t('windows.job', { name: job.spec.name })}</p>}
          {!window && !job && (
            <Select label={t('windows.scope')} data={scopes} value={scope} onChange={setScope} />
          )}
          <TextInput
            label={t('windows.reason')}
            description={t('windows.reasonText')}
            value={reason}
            maxLength={200}
            data-autofocus
            onChange={(event) => setReason(event.currentTarget.value)}
            error={errorAt('reason')}
          />
          <SegmentedControl
            aria-label={t('windows.when')}
            data={[
              { value: 'once', label: t('windows.forTime') },
              { value: 'again', label: t('windows.again') },
            ]}
            value={isAgain ? 'again' : 'once'}
            onChange={(next) => setAgain(next === 'again')}
          />
          {isAgain ? (
            <>
              <TextInput
                label={t('windows.begins')}
                description={t('windows.beginsText')}
                value={expression}
                spellCheck={false}
                onChange={(event) => setExpression(event.currentTarget.value)}
                error={errorAt('recurring.expression')}
              />
              <TextInput
                label={t('windows.zone')}
                placeholder="UTC"
                value={zone}
                spellCheck={false}
                onChange={(event) => setZone(event.currentTarget.value)}
                error={errorAt('recurring.time_zone')}
              />
              <SpanInput
                label={t('windows.lasts')}
                description={t('windows.lastsText')}
                value={lasts}
                onChange={setLasts}
                error={errorAt('recurring.lasts_ms')}
              />
            </>
          ) : (
            <>
              <InstantInput
                label={t('windows.from')}
                description={t('windows.fromText')}
                value={from ?? undefined}
                onChange={setFrom}
              />
              <InstantInput
                label={t('windows.until')}
                value={until}
                onChange={setUntil}
                error={errorAt('once.until')}
              />
            </>
          )}
          <Button
            type="submit"
            loading={save.isPending}
            disabled={!isComplete}
            style={{ alignSelf: 'flex-end' }}
          >
            {t('common.save')}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}

/** Fields that show what is wrong with them by themselves. */
const FIELDS = ['reason', 'recurring.expression', 'recurring.time_zone', 'recurring.lasts_ms', 'once.until']
