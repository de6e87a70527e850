import type { Outcome, Run, RunState } from '../../api/types'
import type { Tone } from '../../ui/Mark'

/** What a run shows: how it ended, or where it is on its way. */
export type RunStatus = Outcome | Exclude<RunState, 'ended'>

export const OUTCOMES: readonly Outcome[] = [
  'succeeded',
  'failed',
  'killed',
  'timed_out',
  'skipped',
  'missed',
  'lost',
]

export function runStatus(run: Pick<Run, 'state' | 'outcome'>): RunStatus {
  if (run.outcome) return run.outcome
  return run.state === 'ended' ? 'lost' : run.state
}

/** The colour of a status. Killed and timed out are failures with a cause of their own. */
export const statusTone: Record<RunStatus, Tone> = {
  succeeded: 'succeeded',
  failed: 'failed',
  killed: 'failed',
  timed_out: 'failed',
  skipped: 'skipped',
  missed: 'missed',
  lost: 'lost',
  planned: 'waiting',
  offered: 'waiting',
  dispatched: 'waiting',
  accepted: 'waiting',
  running: 'running',
}

/** Whether the run may still be killed. */
export function isAlive(run: Pick<Run, 'state'>): boolean {
  return run.state !== 'ended'
}
