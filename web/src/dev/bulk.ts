import type { BulkChange, BulkPlan, Job, JobSelection, Problem, Role } from '../api/types'
import { allows } from '../lib/roles'
import type { World } from './seed'
import { snoozed } from './windows'

/** What changes of many jobs need of the center in memory. */
interface Surroundings {
  world: World
  /** Jobs within sight of the caller. */
  jobs: () => Job[]
  role: (job: Job) => Role
  by: () => string
  changed: (job: Job) => void
  /** Runs a job; answers the id of the run. */
  run: (job: Job) => string
  refuse: (status: number, code: string, message: string, problems: Problem[]) => Error
}

interface Call {
  body: Record<string, unknown>
}

/** The part of the interface that is about many jobs at once. */
export function bulk(around: Surroundings): Record<string, (call: Call) => unknown> {
  const asked = ({ body }: Call) => ({
    filter: body.filter as JobSelection,
    change: body.change as BulkChange,
  })
  return {
    'POST jobs/bulk/plan': (call) => plan(around, asked(call).filter, asked(call).change),
    'POST jobs/bulk/apply': (call) => {
      const { filter, change } = asked(call)
      const planned = plan(around, filter, change)
      if (planned.digest !== call.body.digest) {
        throw around.refuse(412, 'definitions.plan_stale', 'jobs were changed since this plan was made', [])
      }
      const run_ids = planned.jobs.flatMap(({ id }) => apply(around, id, change))
      return { ...planned, run_ids }
    },
  }
}

function found(jobs: Job[], filter: JobSelection): Job[] {
  const is = <T>(wanted: T | null | undefined, value: T) => wanted == null || wanted === value
  return jobs.filter((job) =>
    filter.ids
      ? filter.ids.includes(job.id)
      : job.spec.name.includes(filter.q ?? '') &&
        is(filter.group, job.group_id) &&
        is(filter.kind, job.kind) &&
        is(filter.paused, job.is_paused),
  )
}

function plan(around: Surroundings, filter: JobSelection, change: BulkChange): BulkPlan {
  const all = found(around.jobs(), filter)
  const changed = all.filter((job) => differs(job, change))
  const problems = changed.flatMap((job) => refusals(around, job, change))
  if (problems.length > 0) {
    const message = `${problems.length} jobs refuse this; nothing was done`
    const code = problems.every((each) => each.code === 'auth.forbidden') ? 'auth.forbidden' : 'bulk.refused'
    throw around.refuse(code === 'auth.forbidden' ? 403 : 422, code, message, problems)
  }
  return {
    digest: JSON.stringify([
      change,
      all.map((job) => [job.id, job.version, job.is_paused, job.snooze?.until]),
    ]),
    unchanged: all.length - changed.length,
    runs: change.action === 'run' ? changed.length : 0,
    jobs: changed.map((job) => ({
      id: job.id,
      group: job.group_name,
      name: job.spec.name,
      version: job.version,
      fields: fields(job, change),
      processes: job.slots_running,
    })),
  }
}

function differs(job: Job, change: BulkChange): boolean {
  if (change.action === 'pause') return !job.is_paused
  if (change.action === 'resume') return job.is_paused
  if (change.action === 'unsnooze') return Boolean(job.snooze)
  return true
}

function refusals(around: Surroundings, job: Job, change: BulkChange): Problem[] {
  const of = (code: string, message: string): Problem[] => [
    { field: 'filter', code, message, job: `${job.group_name}/${job.spec.name}` },
  ]
  const least = change.action === 'delete' ? 'owner' : change.action === 'set' ? 'editor' : 'operator'
  if (!allows(around.role(job), least)) {
    return of('auth.forbidden', `Your role in group "${job.group_name}" does not allow this`)
  }
  if (job.kind === 'daemon' && ['run', 'snooze'].includes(change.action)) {
    return of('job.is_daemon', 'A daemon job is kept alive, not run')
  }
  const user = change.action === 'set' ? change.fields.run_as : undefined
  if (user === 'root')
    return of('job.run_as_refused', `Jobs of group "${job.group_name}" may not run as "root"`)
  return []
}

function fields(job: Job, change: BulkChange) {
  switch (change.action) {
    case 'pause':
      return [{ field: 'paused', old: false, new: true }]
    case 'resume':
      return [{ field: 'paused', old: true, new: false }]
    case 'snooze':
      return [{ field: 'snoozed_until', old: job.snooze?.until, new: change.until }]
    case 'unsnooze':
      return [{ field: 'snoozed_until', old: job.snooze?.until }]
    case 'set':
      return Object.entries(change.fields).map(([field, value]) => ({
        field,
        old: (job.spec as Record<string, unknown>)[field],
        new: value,
      }))
    default:
      return []
  }
}

function apply(around: Surroundings, id: string, change: BulkChange): string[] {
  const { world } = around
  const job = world.jobs.find((each) => each.id === id)
  if (!job) return []
  switch (change.action) {
    case 'pause':
    case 'resume':
      job.is_paused = change.action === 'pause'
      break
    case 'delete':
      world.jobs = world.jobs.filter((each) => each !== job)
      break
    case 'snooze':
      snoozed(job, change.until, around.by())
      break
    case 'unsnooze':
      job.snooze = undefined
      break
    case 'run':
      return [around.run(job)]
    case 'set':
      Object.assign(job.spec, change.fields)
      job.version += 1
      break
    default:
      change satisfies never
  }
  around.changed(job)
  return []
}
