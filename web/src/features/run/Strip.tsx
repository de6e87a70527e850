import { Tooltip } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { RecentRun } from '../../api/types'
import { now } from '../../lib/now'
import { dateTime, duration } from '../../lib/time'
import { aboveRow } from '../../ui/DataTable'
import classes from './Strip.module.css'
import { statusTone } from './status'

const BARS = 20

/** The last runs as small bars, oldest left. The height tells the duration, the colour the outcome; hover says both in words. */
export function Strip({
  runs,
  zone,
  isTall,
}: {
  runs: readonly RecentRun[]
  zone?: string | null
  isTall?: boolean
}) {
  const { t, i18n } = useTranslation()
  const longest = Math.max(1, ...runs.map((run) => run.duration_ms ?? 0))
  // The center plans ahead and lists those runs too; what is not due yet is no last run.
  const at = now()
  const shown = runs
    .filter((run) => run.outcome || Date.parse(run.due) <= at)
    .slice(0, BARS)
    .reverse()
  return (
    <span className={`${classes.strip} ${aboveRow}`} data-tall={isTall || undefined}>
      {Array.from({ length: BARS - shown.length }, (_, nth) => (
        <i key={`none-${nth}`} className={classes.none} />
      ))}
      {shown.map((run) => {
        const status = run.outcome ?? 'running'
        const word = t(`status.${status}`)
        const share = run.duration_ms ? Math.sqrt(run.duration_ms / longest) : 0
        const label = `${word} · ${dateTime(run.due, i18n.language, zone ?? undefined)}${
          run.duration_ms == null ? '' : ` · ${duration(run.duration_ms, i18n.language)}`
        }`
        return (
          <Tooltip key={run.id} label={label}>
            <Link
              to="/runs/$runId"
              params={{ runId: run.id }}
              className={classes.bar}
              data-status={status}
              aria-label={label}
              tabIndex={-1}
            >
              <i
                style={
                  {
                    height: `${35 + 65 * share}%`,
                    '--fill': `var(--${statusTone[status]}-fill)`,
                  } as React.CSSProperties
                }
              />
            </Link>
          </Tooltip>
        )
      })}
    </span>
  )
}
