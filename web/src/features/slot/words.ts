import type { TFunction } from 'i18next'
import { reasonText } from '../run/words'

/** How a process ended, from the center's short form: `exit 1`, `signal KILL`, or a stable word. */
export function endWords(end: string, t: TFunction): string {
  const exit = /^exit (-?\d+)$/.exec(end)
  if (exit) return t('runs.exit', { code: exit[1] })
  const signal = /^signal (\w+)$/.exec(end)
  if (signal) return `SIG${signal[1]?.replace(/^SIG/, '')}`
  return reasonText(end)
}
