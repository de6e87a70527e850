import i18next, { type TFunction } from 'i18next'
import type { CalendarRule } from '../../api/types'

/** How a job follows its calendar. */
export function calendarText(rule: CalendarRule, t: TFunction): string {
  return t(`calendar.said.${rule.mode}`, { calendar: calendarName(rule.name, t) })
}

/** Name of a calendar; of one that the console does not know, as it is. */
export function calendarName(name: string, t: TFunction): string {
  return i18next.exists(`calendar.name.${name}`)
    ? t(`calendar.name.${name}` as 'calendar.name.weekdays')
    : name
}
