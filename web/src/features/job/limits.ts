import i18next, { type TFunction } from 'i18next'
import type { IoPriority, Limits } from '../../api/types'
import { bytes } from '../../lib/bytes'

/** Who reads and writes disks first: `only when idle`, `usual, 4 of 7`. */
export function ioText(priority: IoPriority): string {
  const name = i18next.t(`limits.io.${priority.class}`)
  return priority.class === 'idle' ? name : `${name} · ${priority.level ?? 0}`
}

/** The limits that are set, each in a few words. */
export function limitTexts(limits: Limits, t: TFunction, locale: string): string[] {
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 3 })
  const size = (count: number) => bytes(count, locale)
  return [
    limits.memory_max_bytes != null && t('limits.said.memory', { size: size(limits.memory_max_bytes) }),
    limits.cpu_max_millicores != null &&
      t('limits.said.cpu', { number: number.format(limits.cpu_max_millicores / 1_000) }),
    limits.pids_max != null && t('limits.said.pids', { number: number.format(limits.pids_max) }),
    limits.open_files_max != null && t('limits.said.files', { number: number.format(limits.open_files_max) }),
    limits.core_size_max_bytes != null && t('limits.said.core', { size: size(limits.core_size_max_bytes) }),
    limits.nice != null && `nice ${limits.nice}`,
    limits.io_priority != null && t('limits.said.io', { text: ioText(limits.io_priority) }),
    limits.oom_score_adj != null && t('limits.said.oom', { score: limits.oom_score_adj }),
    limits.no_new_privileges === false && t('limits.said.privileges'),
  ].filter((text) => typeof text === 'string')
}
