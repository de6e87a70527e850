import { useTranslation } from 'react-i18next'
import type { Run } from '../../api/types'
import { clock, preciseDifference } from '../../lib/time'
import { At } from '../../ui/Time'
import classes from './Journey.module.css'
import { runStatus, statusTone } from './status'

/** The way of a run on one line: each step with its time and its distance from the due instant. */
export function Journey({ run, zone }: { run: Run; zone?: string | null }) {
  const { t, i18n } = useTranslation()
  const due = preciseMs(run.due)
  const steps = [
    { key: 'planned', at: run.planned_at },
    { key: 'sent', at: run.dispatched_at },
    { key: 'accepted', at: run.accepted_at },
    { key: 'due', at: run.due },
    // Where nothing makes it wait, that is the due instant.
    ...(run.not_before === run.due ? [] : [{ key: 'ready', at: run.not_before } as const]),
    { key: 'started', at: run.started_at },
    { key: 'ended', at: run.ended_at },
  ] as const
  const reached = steps.filter((step) => step.at)
  const ordered = [...reached].sort((a, b) => preciseMs(a.at ?? '') - preciseMs(b.at ?? ''))
  const missing = steps.filter((step) => !step.at)
  return (
    <ol
      className={classes.journey}
      style={{ '--tone': `var(--${statusTone[runStatus(run)]})` } as React.CSSProperties}
    >
      {[...ordered, ...missing].map((step) => (
        <li key={step.key} className={classes.step} data-key={step.key} data-reached={Boolean(step.at)}>
          <span className={classes.name}>{t(`runs.step.${step.key}`)}</span>
          {step.at ? (
            <>
              <span className={classes.time}>
                <At at={step.at} zone={zone} withMillis />
              </span>
              <span className={classes.delta} title={clock(step.at, i18n.language, undefined, true)}>
                {step.key === 'due' ? '±0' : preciseDifference(preciseMs(step.at) - due, i18n.language)}
              </span>
            </>
          ) : (
            <span className={classes.time}>–</span>
          )}
        </li>
      ))}
    </ol>
  )
}

/** Milliseconds since the epoch with the microseconds behind the point, which `Date` drops. */
function preciseMs(at: string): number {
  const fraction = /\.(\d+)/.exec(at)?.[1] ?? ''
  return Math.floor(Date.parse(at) / 1_000) * 1_000 + Number(`0.${fraction || 0}`) * 1_000
}
