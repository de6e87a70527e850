import type { CalendarSpec } from '../../api/types'

/** Dates are texts such as `2026-10-01`, days one after the other `2026-10-01/2026-10-07`. */

/** What a calendar says about a date by itself: nothing, if the day of the week decides. */
export type Said = 'in' | 'out' | undefined

const DAY = 86_400_000

const at = (date: string) => Date.parse(`${date}T00:00:00Z`)
const text = (ms: number) => new Date(ms).toISOString().slice(0, 10)

/** The single dates of ranges. */
export function dates(ranges: readonly string[]): Set<string> {
  const found = new Set<string>()
  for (const range of ranges) {
    const [first = '', last = first] = range.split('/')
    for (let day = at(first); day <= at(last); day += DAY) found.add(text(day))
  }
  return found
}

/** Dates as ranges, in order. */
export function ranges(days: Iterable<string>): string[] {
  const found: [string, string][] = []
  for (const day of [...days].sort()) {
    const range = found.at(-1)
    if (range && at(range[1]) + DAY === at(day)) range[1] = day
    else found.push([day, day])
  }
  return found.map(([first, last]) => (first === last ? first : `${first}/${last}`))
}

/** The calendar that says something else about these dates. */
export function say(spec: CalendarSpec, days: Iterable<string>, said: Said): CalendarSpec {
  const [daysIn, daysOut] = [dates(spec.days_in ?? []), dates(spec.days_out ?? [])]
  for (const day of days) {
    daysIn.delete(day)
    daysOut.delete(day)
    if (said === 'in') daysIn.add(day)
    if (said === 'out') daysOut.add(day)
  }
  return { ...spec, days_in: ranges(daysIn), days_out: ranges(daysOut) }
}

/** The calendar in which a date counts if it did not, and the other way round. */
export function flip(spec: CalendarSpec, day: string, counts: boolean): CalendarSpec {
  const named = [...(spec.days_in ?? []), ...(spec.days_out ?? [])]
  return say(spec, [day], dates(named).has(day) ? undefined : counts ? 'out' : 'in')
}

/** The dates of a month (1 to 12), with nothing before the first so that weeks begin on Monday. */
export function monthDays(year: number, month: number): (string | undefined)[] {
  const first = Date.UTC(year, month - 1, 1)
  const before = (new Date(first).getUTCDay() + 6) % 7
  const count = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const days = Array.from({ length: count }, (_, nth) => text(first + nth * DAY))
  return [...Array.from({ length: before }, () => undefined), ...days]
}
