import { IconArrowsExchange } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { ClockChange } from '../../api/types'
import { dayMonthYear } from '../../lib/time'
import classes from './ClockChanges.module.css'

/** The days of the next year on which a change of clocks makes a difference, and which. */
export function ClockChanges({ changes, zone }: { changes: ClockChange[]; zone: string }) {
  const { t, i18n } = useTranslation()
  if (changes.length === 0) return null
  return (
    <ul className={classes.changes} aria-label={t('schedule.changes')}>
      {changes.map((change) => (
        <li key={change.at}>
          <IconArrowsExchange size={14} aria-hidden />
          <span>
            {t(`schedule.change.${change.effect}`, {
              day: dayMonthYear(change.at, i18n.language, zone),
              before: minute(change.local_before),
              after: minute(change.local_after),
            })}
          </span>
        </li>
      ))}
    </ul>
  )
}

/** Hour and minute of a local date-time with offset. */
function minute(local: string): string {
  return local.slice(11, 16)
}
