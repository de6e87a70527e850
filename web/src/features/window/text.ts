import type { TFunction } from 'i18next'
import type { Window } from '../../api/types'
import { formatSpan } from '../../lib/span'
import { dateTime } from '../../lib/time'

/** What a window holds. */
export function scopeText(window: Window, t: TFunction): string {
  if (window.job_id) return t('windows.job', { name: window.scope_name })
  return window.group_id ? t('windows.whose', { name: window.scope_name }) : t('windows.fleet')
}

/** When it is: from and until, or its beginnings and how long it lasts. */
export function whenText(window: Window, locale: string, t: TFunction): string {
  const { once, recurring } = window
  if (once) {
    const from = dateTime(once.from ?? window.changed_at, locale)
    return t('windows.to', { from, until: dateTime(once.until, locale) })
  }
  if (!recurring) return ''
  const { expression, time_zone, lasts_ms } = recurring
  return t('windows.every', { expression, zone: time_zone, time: formatSpan(lasts_ms) })
}
