import type { ApiError } from '../../api/error'

/** Paths of a definition that have an input of their own in the editor. */
const INPUTS = [
  'group_id',
  'name',
  'description',
  'scheduled.expression',
  'scheduled.time_zone',
  'scheduled.dst',
  'scheduled.active_from',
  'scheduled.active_until',
  'scheduled.calendar',
  'scheduled.queue_max',
  'scheduled.jitter_ms',
  'scheduled.start_deadline_ms',
  'scheduled.catch_up.policy',
  'scheduled.catch_up.max',
  'scheduled.catch_up.window_ms',
  'scheduled.timeout_ms',
  'scheduled.retry.attempts_max',
  'scheduled.retry.backoff_initial_ms',
  'scheduled.retry.backoff_max_ms',
  'scheduled.retry.failures',
  'daemon.restart',
  'daemon.start_period_ms',
  'daemon.backoff_initial_ms',
  'daemon.backoff_max_ms',
  'daemon.crash_loop_failures',
  'daemon.crash_loop_window_ms',
  'daemon.expected_exit_codes',
  'daemon.max_unavailable',
  'daemon.max_age_ms',
  'daemon.max_memory_bytes',
  'daemon.readiness',
  'daemon.health',
  'command.argv',
  'command.script.interpreter',
  'command.script.text',
  'run_as',
  'directory',
  'environment',
  'secrets',
  'umask',
  'target',
  'target.count',
  'target.pick',
  'processes',
  'output.cap_bytes',
  'output.block_max_ms',
  'stop.signal',
  'stop.grace_ms',
  'stragglers',
  'limits.memory_max_bytes',
  'limits.cpu_max_millicores',
  'limits.pids_max',
  'limits.open_files_max',
  'limits.core_size_max_bytes',
  'limits.nice',
  'limits.io_priority',
  'limits.oom_score_adj',
] as const

export type FieldPath = (typeof INPUTS)[number]

/** The input that an error is about; `undefined` when it has none, and the error belongs above the form. */
export function inputOf(error: ApiError): FieldPath | undefined {
  if (!error.field) return undefined
  const path = error.field.replace(/^spec\./, '')
  const fits = INPUTS.filter(
    (input) => path === input || path.startsWith(`${input}.`) || path.startsWith(`${input}[`),
  )
  return fits.sort((a, b) => b.length - a.length)[0]
}
