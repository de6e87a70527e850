import { IconAlertTriangle, IconArrowsExchange, IconSnowflake, IconZzz } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { Preview, Skipped } from '../../api/types'
import { useNow } from '../../lib/now'
import { formatSpan } from '../../lib/span'
import { offsetName, relative, viewerZone, weekday } from '../../lib/time'
import { Mark } from '../../ui/Mark'
import { At } from '../../ui/Time'
import classes from './NextRuns.module.css'

/** The next due instants as the job's zone says them, and when that is here. Days with a clock change are marked. */
export function NextRuns({ preview, zone, jitterMs }: { preview: Preview; zone: string; jitterMs: number }) {
  const { t, i18n } = useTranslation()
  const now = useNow()
  const isElsewhere = zone !== viewerZone()
  // The offset is worth its place only when it changes on the way.
  const offsets = preview.next.map((instant) => offsetName(instant.due, zone, i18n.language))
  const hasChange = new Set(offsets).size > 1
  return (
    <table className={classes.table}>
      <caption className="sr">{t('schedule.next')}</caption>
      <thead className={isElsewhere ? classes.head : 'sr'}>
        <tr>
          <th>{t('schedule.day')}</th>
          <th>{t('schedule.time')}</th>
          {isElsewhere && <th>{t('schedule.here')}</th>}
          <th>{t('schedule.until')}</th>
        </tr>
      </thead>
      <tbody>
        {preview.next.map((instant, nth) => (
          <tr key={instant.due}>
            <td className="dim">{weekday(instant.due, i18n.language, zone)}</td>
            <td>
              {localClock(instant.local)} {hasChange && <span className="faint">{offsets[nth]}</span>}
              {jitterMs > 0 && (
                <span className="faint" title={t('schedule.jitterText')}>
                  {t('schedule.jitter', { time: formatSpan(jitterMs) })}
                </span>
              )}
              {instant.dst && (
                <span className={classes.dst}>
                  <Mark tone="missed" icon={<IconArrowsExchange size={13} />}>
                    <span
                      title={t(
                        instant.dst_effect
                          ? `schedule.effect.${instant.dst_effect}`
                          : `schedule.dst.${instant.dst}Text`,
                      )}
                    >
                      {t(`schedule.dst.${instant.dst}`)}
                    </span>
                  </Mark>
                </span>
              )}
            </td>
            {isElsewhere && (
              <td className="dim">
                <At at={instant.due} zone={zone} isClock />
              </td>
            )}
            <td className="dim">
              {instant.skipped ? (
                <SkippedMark skipped={instant.skipped} />
              ) : (
                relative(instant.due, now, i18n.language)
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Says that a due time is going to be skipped, and what for on hover. */
function SkippedMark({ skipped }: { skipped: Skipped }) {
  const { t } = useTranslation()
  const isSnoozed = skipped.reason === 'snoozed'
  return (
    <Mark tone="skipped" icon={isSnoozed ? <IconZzz size={13} /> : <IconSnowflake size={13} />}>
      <span title={skipped.window ? t('windows.skippedFor', { reason: skipped.window }) : undefined}>
        {t(isSnoozed ? 'windows.skipped.snoozed' : 'windows.skipped.frozen')}
      </span>
    </Mark>
  )
}

/** Time of day of a local date-time with offset; the fraction only when there is one. */
function localClock(local: string): string {
  return /T(\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?)/.exec(local)?.[1] ?? local
}

/** What is worth knowing before saving. */
export function Warnings({ preview }: { preview: Preview }) {
  const { i18n } = useTranslation()
  if (preview.warnings.length === 0) return null
  return (
    <ul className={classes.warnings}>
      {preview.warnings.map((warning) => (
        <li key={warning.code}>
          <IconAlertTriangle size={14} aria-hidden />
          <span>{i18n.language === 'en' ? warning.message_en : warning.message_zh}</span>
        </li>
      ))}
    </ul>
  )
}
