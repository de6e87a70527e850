/** Dates, times and spans of time as people read them. All take the locale; a zone is an IANA name, the viewer's when absent. */

export const SECOND = 1_000
export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000

const formats = new Map<string, Intl.DateTimeFormat>()

function format(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options)
  let made = formats.get(key)
  if (!made) {
    try {
      made = new Intl.DateTimeFormat(locale, options)
    } catch {
      // A zone that this browser does not know yet.
      made = new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' })
    }
    formats.set(key, made)
  }
  return made
}

const CLOCK: Intl.DateTimeFormatOptions = {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
}

/** The viewer's time zone. */
export function viewerZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** `14:03:09`, or with milliseconds `14:03:09.250`. */
export function clock(at: string | number, locale: string, zone?: string, withMillis = false): string {
  const options = withMillis ? { ...CLOCK, fractionalSecondDigits: 3 as const } : CLOCK
  return format(locale, { ...options, timeZone: zone }).format(new Date(at))
}

/** `22 Nov 2026, 14:03:09`. */
export function dateTime(at: string | number, locale: string, zone?: string): string {
  return format(locale, { day: 'numeric', month: 'short', year: 'numeric', ...CLOCK, timeZone: zone }).format(
    new Date(at),
  )
}

/** As short as can be without doubt: the time alone today, with day and month within the year, else the whole date. */
export function compactTime(at: string | number, now: number, locale: string, zone?: string): string {
  const day = (when: number | Date) =>
    format(locale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: zone }).format(when)
  const date = new Date(at)
  if (day(date) === day(now)) return clock(at, locale, zone)
  const sameYear = Math.abs(now - date.getTime()) < 300 * DAY
  return format(locale, {
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone: zone,
  }).format(date)
}

/** `Mar 8, 2026`: a day. */
export function dayMonthYear(at: string | number, locale: string, zone?: string): string {
  return format(locale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: zone }).format(
    new Date(at),
  )
}

/** `Thu 26 Nov`: the day of a due instant in lists of next runs. */
export function weekday(at: string | number, locale: string, zone?: string): string {
  return format(locale, { weekday: 'short', day: 'numeric', month: 'short', timeZone: zone }).format(
    new Date(at),
  )
}

/** Short name of the zone's offset at an instant, e.g. `UTC+8`. */
export function offsetName(at: string | number, zone: string, locale: string): string {
  const parts = format(locale, { timeZone: zone, timeZoneName: 'shortOffset' }).formatToParts(new Date(at))
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? zone
}

/** `in 5m`, `3h ago`, `now`. */
export function relative(at: string | number, now: number, locale: string): string {
  const delta = new Date(at).getTime() - now
  const size = Math.abs(delta)
  const words = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'narrow' })
  if (size < MINUTE) return words.format(Math.trunc(delta / SECOND), 'second')
  if (size < HOUR) return words.format(Math.trunc(delta / MINUTE), 'minute')
  if (size < DAY) return words.format(Math.trunc(delta / HOUR), 'hour')
  if (size < 60 * DAY) return words.format(Math.trunc(delta / DAY), 'day')
  if (size < 730 * DAY) return words.format(Math.trunc(delta / (30 * DAY)), 'month')
  return words.format(Math.trunc(delta / (365 * DAY)), 'year')
}

type Unit = 'millisecond' | 'second' | 'minute' | 'hour' | 'day'

function amount(value: number, unit: Unit, locale: string, digits = 0): string {
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit,
    unitDisplay: 'narrow',
    maximumFractionDigits: digits,
  }).format(value)
}

/** A span of time with at most two units: `12ms`, `1.24s`, `3m 12s`, `2h 5m`, `3d 4h`. Negative spans carry a minus. */
export function duration(ms: number, locale: string): string {
  if (ms < 0) return `−${duration(-ms, locale)}`
  if (ms < 1) return amount(ms, 'millisecond', locale, ms === 0 ? 0 : 2)
  if (ms < SECOND) return amount(Math.round(ms), 'millisecond', locale)
  if (ms < MINUTE) return amount(ms / SECOND, 'second', locale, ms < 10 * SECOND ? 2 : 1)
  const two = (large: number, big: Unit, small: number, little: Unit) =>
    small === 0
      ? amount(large, big, locale)
      : `${amount(large, big, locale)} ${amount(small, little, locale)}`
  if (ms < HOUR) return two(Math.floor(ms / MINUTE), 'minute', Math.floor((ms % MINUTE) / SECOND), 'second')
  if (ms < DAY) return two(Math.floor(ms / HOUR), 'hour', Math.floor((ms % HOUR) / MINUTE), 'minute')
  return two(Math.floor(ms / DAY), 'day', Math.floor((ms % DAY) / HOUR), 'hour')
}

/** A difference to the millisecond, and finer below 100 ms, as long as that is readable: `+4.4ms`, `−11,979ms`, `+14m 25s`. */
export function preciseDifference(ms: number, locale: string): string {
  if (Math.abs(ms) >= 100 * SECOND) return signedDuration(ms, locale)
  const size = Math.abs(ms)
  return `${ms < 0 ? '−' : '+'}${amount(size, 'millisecond', locale, size < 100 ? 1 : 0)}`
}

/** A difference that always shows its sign: `+12ms`, `−3s`. */
export function signedDuration(ms: number, locale: string): string {
  return ms < 0 ? duration(ms, locale) : `+${duration(ms, locale)}`
}
