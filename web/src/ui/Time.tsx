import { Tooltip } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useNow } from '../lib/now'
import { clock, compactTime, dateTime, duration, offsetName, relative, viewerZone } from '../lib/time'
import classes from './Time.module.css'

interface MomentProps {
  at: string
  /** Zone of the job the moment belongs to; shown on hover beside the viewer's and UTC. */
  zone?: string | null
}

function Zones({ at, zone }: MomentProps) {
  const { i18n } = useTranslation()
  const mine = viewerZone()
  const zones = [...new Set([mine, zone, 'UTC'].filter((each): each is string => Boolean(each)))]
  return (
    <span className={classes.zones}>
      {zones.map((each) => (
        <span key={each} className={classes.zone}>
          <span>{each === 'UTC' ? 'UTC' : `${each} (${offsetName(at, each, i18n.language)})`}</span>
          <span>
            {dateTime(at, i18n.language, each)}
            {millis(at)}
          </span>
        </span>
      ))}
    </span>
  )
}

function millis(at: string): string {
  const part = /\.(\d{1,3})/.exec(at)?.[1]
  return part ? `.${part.padEnd(3, '0')}` : ''
}

function Hover({ at, zone, children }: MomentProps & { children: string }) {
  return (
    <Tooltip label={<Zones at={at} zone={zone} />} multiline>
      <time dateTime={at} className={classes.time}>
        {children}
      </time>
    </Tooltip>
  )
}

/** `5m ago`; all zones on hover. What lies ahead is at most `now`, even when the next answer is late. */
export function Ago({ at, zone, isAhead }: MomentProps & { isAhead?: boolean }) {
  const { i18n } = useTranslation()
  const now = useNow()
  return (
    <Hover at={at} zone={zone}>
      {relative(isAhead ? Math.max(now, Date.parse(at)) : at, now, i18n.language)}
    </Hover>
  )
}

/** `14:03:09`, with the day when it is not today unless `isClock`; all zones on hover. */
export function At({
  at,
  zone,
  withMillis,
  isClock,
}: MomentProps & { withMillis?: boolean; isClock?: boolean }) {
  const { i18n } = useTranslation()
  const now = useNow()
  const isNear = Math.abs(Date.parse(at) - now) < 12 * 3_600_000
  return (
    <Hover at={at} zone={zone}>
      {isClock
        ? clock(at, i18n.language)
        : withMillis && isNear
          ? clock(at, i18n.language, undefined, true)
          : compactTime(at, now, i18n.language)}
    </Hover>
  )
}

/** `14:05:00 · in 2 min`. */
export function AtAndAgo({ at, zone }: MomentProps) {
  return (
    <span>
      <At at={at} zone={zone} /> <span className="dim">· </span>
      <span className="dim">
        <Ago at={at} zone={zone} />
      </span>
    </span>
  )
}

/** How long since a moment, counting. */
export function Since({ at }: { at: string }) {
  const { i18n } = useTranslation()
  const now = useNow()
  const ms = Math.max(0, now - Date.parse(at))
  return <Hover at={at}>{duration(ms < 60_000 ? Math.floor(ms / 1_000) * 1_000 : ms, i18n.language)}</Hover>
}
