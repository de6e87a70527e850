import i18next, { type TFunction } from 'i18next'
import type { Run } from '../../api/types'
import { duration } from '../../lib/time'
import { runStatus } from './status'

/** A stable word of the center as a sentence; unknown words, from a newer center, stay as they are. */
export function reasonText(reason: string): string {
  const key = `reason.${reason}`
  return i18next.exists(key) ? i18next.t(key as 'reason.overlap') : reason
}

/** What happened to a run, in one sentence. */
export function runSentence(run: Run, t: TFunction, locale: string): string {
  const time = run.duration_us == null ? undefined : duration(run.duration_us / 1_000, locale)
  const status = runStatus(run)
  const why = run.reason ? reasonText(run.reason) : undefined
  switch (status) {
    case 'succeeded':
      return t('runs.said.succeeded', { time: time ?? '–', agent: run.agent_name })
    case 'failed':
      if (run.reason === 'oom_killed')
        return t('runs.said.oomKilled', { time: time ?? '–', agent: run.agent_name })
      if (why) return t('runs.said.notStarted', { why, agent: run.agent_name })
      if (run.signal)
        return t('runs.said.signal', { signal: run.signal, time: time ?? '–', agent: run.agent_name })
      return t('runs.said.failed', { code: run.exit_code ?? '?', time: time ?? '–', agent: run.agent_name })
    case 'killed':
      if (run.reason === 'replaced')
        return t('runs.said.replaced', { time: time ?? '–', agent: run.agent_name })
      return run.killed_by
        ? t('runs.said.killedBy', { who: run.killed_by, time: time ?? '–', agent: run.agent_name })
        : t('runs.said.killed', { time: time ?? '–', agent: run.agent_name })
    case 'timed_out':
      return t('runs.said.timedOut', { time: time ?? '–', agent: run.agent_name })
    case 'skipped':
      return t('runs.said.skipped', { why: why ?? '–' })
    case 'missed':
      return t('runs.said.missed', { why: why ?? '–' })
    case 'lost':
      return t('runs.said.lost', { why: why ?? '–' })
    case 'running':
      return run.is_kill_requested
        ? t('runs.said.stopping', { agent: run.agent_name })
        : t('runs.said.running', { agent: run.agent_name })
    case 'planned':
      return t('runs.said.planned', { agent: run.agent_name })
    case 'offered':
      return t('runs.said.offered', { agent: run.agent_name })
    case 'dispatched':
      return t('runs.said.dispatched', { agent: run.agent_name })
    case 'accepted':
      return t('runs.said.accepted', { agent: run.agent_name })
  }
}

/** How the command ended, short: `exit 3`, `SIGKILL`, or the reason. */
export function endText(run: Run, t: TFunction): string {
  if (run.reason) return reasonText(run.reason)
  if (run.signal) return `SIG${run.signal.replace(/^SIG/, '')}`
  if (run.exit_code != null && run.exit_code !== 0) return t('runs.exit', { code: run.exit_code })
  return ''
}

/** What asked for a run. */
export function causeText(run: Run, t: TFunction): string {
  return run.is_caught_up ? t('cause.caughtUp') : t(`cause.${run.cause}`)
}
