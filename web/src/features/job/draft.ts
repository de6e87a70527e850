import type { Timing } from '../../api/schedules'
import type {
  CalendarRule,
  CatchUp,
  DaemonSpec,
  DstPolicy,
  JobKind,
  JobSpec,
  Limits,
  OutputMode,
  Overlap,
  Pick,
  RetryPolicy,
  Stragglers,
  Target,
  TargetMode,
  WhenFull,
} from '../../api/types'
import { joinArgv, splitArgv } from '../../lib/argv'
import {
  catchUpDefaults,
  complete,
  daemonDefaults,
  dstDefaults,
  limitDefaults,
  outputDefaults,
  QUEUE_MAX,
  retryDefaults,
  startDeadlineDefault,
  stopDefaults,
  UMASK,
} from './spec'

/** A secret that the process gets, as one row of the form. */
export interface SecretRow {
  name: string
  kind: 'env' | 'file'
  /** Variable or file name. */
  place: string
}

/** A job as the editor holds it: everything a form can show at once, also what the chosen kind does not use. */
export interface Draft {
  groupId: string
  kind: JobKind
  name: string
  description: string
  expression: string
  timeZone: string
  dst: Required<DstPolicy>
  activeFrom: string | undefined
  activeUntil: string | undefined
  calendar: CalendarRule | undefined
  overlap: Overlap
  queueMax: number
  jitterMs: number
  startDeadlineMs: number
  catchUp: Required<CatchUp>
  timeoutMs: number | undefined
  retry: Required<RetryPolicy>
  daemon: Required<DaemonSpec>
  commandKind: 'argv' | 'script'
  /** Program and arguments as one line. */
  argv: string
  interpreter: string
  script: string
  runAs: string
  directory: string
  environment: [name: string, value: string][]
  secrets: SecretRow[]
  umask: string
  isEveryAgent: boolean
  /** Of the chosen agents: each, or any so many. Daemons run on each. */
  targetMode: TargetMode
  targetCount: number
  pick: Pick
  agentIds: string[]
  processes: number
  outputMode: OutputMode
  capBytes: number
  whenFull: WhenFull
  blockMaxMs: number
  signal: string
  graceMs: number
  stragglers: Stragglers
  limits: Required<Limits>
}

export const INTERPRETER = '/bin/sh'

export function emptyDraft(groupId: string, kind: JobKind, timeZone: string, runAs: string): Draft {
  return {
    groupId,
    kind,
    name: '',
    description: '',
    expression: '*/5 * * * *',
    timeZone,
    dst: dstDefaults,
    activeFrom: undefined,
    activeUntil: undefined,
    calendar: undefined,
    overlap: 'forbid',
    queueMax: QUEUE_MAX,
    startDeadlineMs: startDeadlineDefault('forbid'),
    jitterMs: 0,
    catchUp: catchUpDefaults,
    timeoutMs: undefined,
    retry: retryDefaults,
    daemon: daemonDefaults,
    commandKind: 'argv',
    argv: '',
    interpreter: INTERPRETER,
    script: '',
    runAs,
    directory: '',
    environment: [],
    secrets: [],
    umask: UMASK,
    isEveryAgent: true,
    targetMode: 'each',
    targetCount: 1,
    pick: 'fewest_running',
    agentIds: [],
    processes: 1,
    outputMode: outputDefaults.mode,
    capBytes: outputDefaults.cap_bytes,
    whenFull: outputDefaults.when_full,
    blockMaxMs: outputDefaults.block_max_ms,
    signal: stopDefaults.signal,
    graceMs: stopDefaults.grace_ms,
    stragglers: 'kill',
    limits: limitDefaults,
  }
}

export function draftOf(groupId: string, given: JobSpec, timeZone: string): Draft {
  const spec = complete(given)
  const base = emptyDraft(
    groupId,
    spec.daemon ? 'daemon' : 'scheduled',
    spec.scheduled?.time_zone ?? timeZone,
    spec.run_as,
  )
  return {
    ...base,
    name: spec.name,
    description: spec.description ?? '',
    expression: spec.scheduled?.expression ?? base.expression,
    dst: { ...base.dst, ...spec.scheduled?.dst },
    activeFrom: spec.scheduled?.active_from ?? undefined,
    activeUntil: spec.scheduled?.active_until ?? undefined,
    calendar: spec.scheduled?.calendar ?? undefined,
    overlap: spec.scheduled?.overlap ?? base.overlap,
    queueMax: spec.scheduled?.queue_max ?? base.queueMax,
    jitterMs: spec.scheduled?.jitter_ms ?? base.jitterMs,
    startDeadlineMs: spec.scheduled?.start_deadline_ms ?? base.startDeadlineMs,
    catchUp: { ...base.catchUp, ...spec.scheduled?.catch_up },
    timeoutMs: spec.scheduled?.timeout_ms ?? undefined,
    retry: { ...base.retry, ...spec.scheduled?.retry },
    daemon: { ...base.daemon, ...spec.daemon },
    commandKind: spec.command.script ? 'script' : 'argv',
    argv: joinArgv(spec.command.argv ?? []),
    interpreter: joinArgv(spec.command.script?.interpreter ?? [INTERPRETER]),
    script: spec.command.script?.text ?? '',
    directory: spec.directory ?? '',
    environment: Object.entries(spec.environment ?? {}),
    secrets: (spec.secrets ?? []).map((secret) =>
      'env' in secret.as
        ? { name: secret.name, kind: 'env', place: secret.as.env }
        : { name: secret.name, kind: 'file', place: secret.as.file },
    ),
    umask: spec.umask ?? UMASK,
    isEveryAgent: spec.target.all ?? false,
    targetMode: spec.target.mode ?? base.targetMode,
    targetCount: spec.target.count ?? base.targetCount,
    pick: spec.target.pick ?? base.pick,
    agentIds: spec.target.agent_ids ?? [],
    processes: spec.processes ?? 1,
    outputMode: spec.output?.mode ?? base.outputMode,
    capBytes: spec.output?.cap_bytes ?? base.capBytes,
    whenFull: spec.output?.when_full ?? base.whenFull,
    blockMaxMs: spec.output?.block_max_ms ?? base.blockMaxMs,
    signal: spec.stop?.signal ?? base.signal,
    graceMs: spec.stop?.grace_ms ?? base.graceMs,
    stragglers: spec.stragglers ?? base.stragglers,
    limits: { ...base.limits, ...spec.limits },
  }
}

/** When a draft is due. */
export function timingOf(draft: Draft): Timing {
  return {
    expression: draft.expression,
    time_zone: draft.timeZone,
    dst: draft.dst,
    active_from: draft.activeFrom ?? null,
    active_until: draft.activeUntil ?? null,
    calendar: draft.calendar ?? null,
  }
}

function targetOf(draft: Draft): Target {
  const chosen = draft.isEveryAgent ? { all: true, agent_ids: [] } : { all: false, agent_ids: draft.agentIds }
  if (draft.kind === 'daemon' || draft.targetMode === 'each') return { ...chosen, mode: 'each' }
  return { ...chosen, mode: 'any', count: draft.targetCount, pick: draft.pick }
}

/** The definition that a draft asks for. Nothing is checked here; the center does, and names the field. */
export function specOf(draft: Draft): JobSpec {
  return {
    name: draft.name.trim(),
    description: draft.description,
    scheduled:
      draft.kind === 'scheduled'
        ? {
            ...timingOf(draft),
            expression: draft.expression.trim(),
            overlap: draft.overlap,
            queue_max: draft.overlap === 'queue' ? draft.queueMax : null,
            jitter_ms: draft.jitterMs,
            start_deadline_ms: draft.startDeadlineMs,
            catch_up: draft.catchUp,
            timeout_ms: draft.timeoutMs ?? null,
            retry: draft.retry,
          }
        : null,
    daemon: draft.kind === 'daemon' ? draft.daemon : null,
    command:
      draft.commandKind === 'argv'
        ? { argv: splitArgv(draft.argv), script: null }
        : {
            argv: null,
            script: { interpreter: splitArgv(draft.interpreter || INTERPRETER), text: draft.script },
          },
    run_as: draft.runAs,
    directory: draft.directory.trim() || null,
    environment: Object.fromEntries(draft.environment.filter(([name]) => name.trim() !== '')),
    secrets: draft.secrets
      .filter((row) => row.name.trim() !== '' || row.place.trim() !== '')
      .map((row) => ({
        name: row.name.trim(),
        as: row.kind === 'env' ? { env: row.place.trim() } : { file: row.place.trim() },
      })),
    umask: draft.umask.trim() || null,
    target: targetOf(draft),
    processes: draft.processes,
    output: {
      mode: draft.outputMode,
      cap_bytes: draft.capBytes,
      when_full: draft.whenFull,
      block_max_ms: draft.blockMaxMs,
    },
    stop: { signal: draft.signal, grace_ms: draft.graceMs },
    // A daemon leaves nobody.
    stragglers: draft.kind === 'daemon' ? 'kill' : draft.stragglers,
    limits: draft.limits,
  }
}
