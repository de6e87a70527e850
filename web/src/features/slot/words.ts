import type { TFunction } from 'i18next'
import type { Slot } from '../../api/types'
import { reasonText } from '../run/words'

/** What the last probe of a process said. */
export function probeWords(probe: NonNullable<Slot['probe']>, t: TFunction): string {
  const kind = t(`probe.${probe.kind}`)
  if (probe.is_ok) return t('probe.good', { kind })
  const said = { kind, detail: probe.detail ?? '' }
  return probe.failures > 1 ? t('probe.badOften', { ...said, count: probe.failures }) : t('probe.bad', said)
}

/** How far the replacing of a job's processes is; `undefined` when none waits for it. */
export function rollout(
  slots: readonly Slot[],
): { done: number; count: number; isHalted: boolean } | undefined {
  const waiting = slots.filter((slot) => slot.next_step === 'replace' || slot.next_step === 'replace_halted')
  if (waiting.length === 0) return undefined
  return {
    done: slots.length - waiting.length,
    count: slots.length,
    isHalted: waiting.some((slot) => slot.next_step === 'replace_halted'),
  }
}

/** How a process ended, from the center's short form: `exit 1`, `signal KILL`, or a stable word. */
export function endWords(end: string, t: TFunction): string {
  const exit = /^exit (-?\d+)$/.exec(end)
  if (exit) return t('runs.exit', { code: exit[1] })
  const signal = /^signal (\w+)$/.exec(end)
  if (signal) return `SIG${signal[1]?.replace(/^SIG/, '')}`
  return reasonText(end)
}
