import type {
  CatchUp,
  DaemonSpec,
  DstPolicy,
  HealthSpec,
  JobSpec,
  Limits,
  OutputPolicy,
  Overlap,
  ReadinessSpec,
  RetryPolicy,
  ScheduledSpec,
  StopPolicy,
  Target,
} from '../../api/types'

/** What holds when a definition leaves a value out. The same as in the center, whose interface documents them. */

/** How late a run may start unless the job says otherwise: longer where runs wait for each other. */
export const startDeadlineDefault = (overlap: Overlap) => (overlap === 'queue' ? 3_600_000 : 60_000)

/** Runs that may wait unless the job says otherwise. */
export const QUEUE_MAX = 1

export const catchUpDefaults: Required<CatchUp> = { policy: 'none', max: 100, window_ms: 86_400_000 }

export const dstDefaults: Required<DstPolicy> = { gap: null, overlap: null }

export const retryDefaults: Required<RetryPolicy> = {
  attempts_max: 1,
  backoff_initial_ms: 1_000,
  backoff_max_ms: 300_000,
  failures: [],
}

export const daemonDefaults: Required<DaemonSpec> = {
  restart: 'always',
  expected_exit_codes: [0],
  start_period_ms: 1_000,
  backoff_initial_ms: 500,
  backoff_max_ms: 60_000,
  crash_loop_failures: 5,
  crash_loop_window_ms: 60_000,
  readiness: null,
  health: null,
  max_age_ms: null,
  max_memory_bytes: null,
  max_unavailable: 1,
}

export const readinessDefaults: Required<ReadinessSpec> = {
  check: {},
  initial_delay_ms: 0,
  period_ms: 1_000,
  timeout_ms: 1_000,
  successes: 1,
  start_timeout_ms: 60_000,
}

export const healthDefaults: Required<HealthSpec> = {
  check: {},
  initial_delay_ms: 0,
  period_ms: 10_000,
  timeout_ms: 1_000,
  failures: 3,
  successes: 1,
}

export const outputDefaults: Required<OutputPolicy> = {
  mode: 'store',
  cap_bytes: 10_485_760,
  when_full: 'drop',
  block_max_ms: 60_000,
}
export const stopDefaults: Required<StopPolicy> = { signal: 'TERM', grace_ms: 10_000 }
export const limitDefaults: Required<Limits> = {
  memory_max_bytes: null,
  cpu_max_millicores: null,
  pids_max: null,
  open_files_max: null,
  core_size_max_bytes: null,
  nice: null,
  io_priority: null,
  oom_score_adj: null,
  no_new_privileges: true,
}
export const UMASK = '022'
export const SIGNALS = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'KILL']

/** A definition with every default written out, so that two of them can be compared. */
export function complete(spec: JobSpec): JobSpec {
  return {
    ...spec,
    description: spec.description ?? '',
    scheduled: spec.scheduled ? completeSchedule(spec.scheduled) : null,
    daemon: spec.daemon ? { ...daemonDefaults, ...spec.daemon } : null,
    directory: spec.directory ?? null,
    environment: spec.environment ?? {},
    secrets: spec.secrets ?? [],
    umask: spec.umask ?? UMASK,
    target: completeTarget(spec.target),
    processes: spec.processes ?? 1,
    output: { ...outputDefaults, ...spec.output },
    stop: { ...stopDefaults, ...spec.stop },
    stragglers: spec.stragglers ?? 'kill',
    limits: { ...limitDefaults, ...spec.limits },
  }
}

function completeTarget(target: Target): Target {
  const chosen = { all: target.all ?? false, agent_ids: [...(target.agent_ids ?? [])].sort() }
  if (target.mode !== 'any') return { ...chosen, mode: 'each' }
  return { ...chosen, mode: 'any', count: target.count ?? 1, pick: target.pick ?? 'fewest_running' }
}

function completeSchedule(scheduled: ScheduledSpec): ScheduledSpec {
  const overlap = scheduled.overlap ?? 'forbid'
  return {
    ...scheduled,
    time_zone: scheduled.time_zone ?? null,
    dst: { ...dstDefaults, ...scheduled.dst },
    active_from: scheduled.active_from ?? null,
    active_until: scheduled.active_until ?? null,
    calendar: scheduled.calendar ?? null,
    overlap,
    queue_max: overlap === 'queue' ? (scheduled.queue_max ?? QUEUE_MAX) : null,
    start_deadline_ms: scheduled.start_deadline_ms ?? startDeadlineDefault(overlap),
    jitter_ms: scheduled.jitter_ms ?? 0,
    catch_up: { ...catchUpDefaults, ...scheduled.catch_up },
    timeout_ms: scheduled.timeout_ms ?? null,
    retry: { ...retryDefaults, ...scheduled.retry },
  }
}
