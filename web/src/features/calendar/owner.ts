import type { TFunction } from 'i18next'

/** Whose a calendar is: of the program, of the fleet, or of a group. */
export function ownerText(
  calendar: { id?: string | null; group_name?: string | null },
  t: TFunction,
): string {
  if (!calendar.id) return t('calendars.program')
  return calendar.group_name ? t('windows.whose', { name: calendar.group_name }) : t('windows.fleet')
}
