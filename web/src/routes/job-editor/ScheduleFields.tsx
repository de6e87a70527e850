import { NumberInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { type ApiError, errorText } from '../../api/error'
import type { FieldPath } from '../../features/job/fieldErrors'
import { ExpressionField } from '../../features/schedule/ExpressionField'
import { ZoneSelect } from '../../features/schedule/ZoneSelect'
import { SpanInput } from '../../ui/SpanInput'
import { ActiveFields } from './ActiveFields'
import { CalendarFields } from './CalendarFields'
import { CatchUpFields } from './CatchUpFields'
import { DstFields } from './DstFields'
import { type FieldsProps, Part } from './JobForm'
import classes from './JobForm.module.css'
import { OverlapFields } from './OverlapFields'
import { RetryFields } from './RetryFields'

/** When a scheduled job runs, what happens when it is late, overlaps, takes too long or fails. */
export function ScheduleFields({
  draft,
  set,
  errorAt,
  refusal,
  hasClockChanges,
}: FieldsProps & { refusal: ApiError | undefined; hasClockChanges: boolean }) {
  const { t } = useTranslation()
  const isRefused = (field: string) => refusal?.field?.startsWith(field) ?? false
  const refusedAt = (field: string, path: FieldPath) =>
    isRefused(field) && refusal ? errorText(refusal) : errorAt(path)
  const isOfExpression = !['time_zone', 'calendar', 'active_'].some(isRefused)
  return (
    <>
      <Part title={t('editor.when')}>
        <ExpressionField
          value={draft.expression}
          onChange={(expression) => set({ expression })}
          error={isOfExpression ? refusal : undefined}
        />
        {!refusal && errorAt('scheduled.expression') && (
          <p className="danger">{errorAt('scheduled.expression')}</p>
        )}
        <div className={classes.pair}>
          <ZoneSelect
            value={draft.timeZone}
            onChange={(timeZone) => set({ timeZone })}
            error={refusedAt('time_zone', 'scheduled.time_zone')}
          />
        </div>
        {(hasClockChanges || draft.dst.gap || draft.dst.overlap) && (
          <DstFields draft={draft} set={set} errorAt={errorAt} />
        )}
        <CalendarFields draft={draft} set={set} errorAt={(path) => refusedAt('calendar', path)} />
        <ActiveFields
          draft={draft}
          set={set}
          errorAt={(path) =>
            path === 'scheduled.active_until' ? refusedAt('active_until', path) : errorAt(path)
          }
        />
      </Part>
      <Part title={t('editor.limits')}>
        <OverlapFields draft={draft} set={set} errorAt={errorAt} />
        <div className={classes.pair}>
          <NumberInput
            label={t('field.processes')}
            description={t('editor.processesScheduled')}
            inputWrapperOrder={['label', 'input', 'description', 'error']}
            value={draft.processes}
            min={1}
            max={1_000}
            allowDecimal={false}
            clampBehavior="blur"
            onChange={(value) => set({ processes: Number(value) || 1 })}
            error={errorAt('processes')}
          />
          <SpanInput
            label={t('field.scheduled_jitter_ms')}
            value={draft.jitterMs}
            onChange={(ms) => ms !== undefined && set({ jitterMs: ms })}
            error={errorAt('scheduled.jitter_ms')}
          />
          <SpanInput
            label={t('field.scheduled_start_deadline_ms')}
            value={draft.startDeadlineMs}
            onChange={(ms) => ms !== undefined && set({ startDeadlineMs: ms })}
            error={errorAt('scheduled.start_deadline_ms')}
          />
          <SpanInput
            label={t('field.scheduled_timeout_ms')}
            value={draft.timeoutMs}
            onChange={(timeoutMs) => set({ timeoutMs })}
            emptyMeans={t('editor.noLimit')}
            error={errorAt('scheduled.timeout_ms')}
          />
        </div>
        <CatchUpFields draft={draft} set={set} errorAt={errorAt} />
        <RetryFields draft={draft} set={set} errorAt={errorAt} />
      </Part>
    </>
  )
}
