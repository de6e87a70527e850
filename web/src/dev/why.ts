import type { Job, Why, WhyItem } from '../api/types'
import type { World } from './seed'

/** Runs and lapses as answers; what is paused or not planned the mock does not work out. */
export function why(world: World, job: Job, query: URLSearchParams): Why {
  const from = query.get('from') ?? new Date(world.now - 86_400_000).toISOString()
  const to = query.get('to') ?? new Date(world.now).toISOString()
  const isWithin = (due: string) => from <= due && due < to
  const decider = (version: number, at: string) => ({
    center: world.centers[0]?.id,
    center_name: world.centers[0]?.name,
    epoch: 7,
    job_version: version,
    decided_at: at,
  })
  const runs = world.runs.filter((run) => run.job_id === job.id && isWithin(run.due))
  const items: WhyItem[] = runs
    .filter((run) => run.cause === 'schedule' || run.cause === 'retry')
    .map((run) => ({
      answer: 'run',
      due_from: run.due,
      due_to: run.due,
      count: 1,
      job_version: run.job_version,
      run,
      decider: decider(run.job_version, run.planned_at),
    }))
  for (const lapse of world.lapses.filter((each) => each.job_id === job.id && isWithin(each.due_from))) {
    items.push({
      answer: 'lapse',
      due_from: lapse.due_from,
      due_to: lapse.due_to,
      count: lapse.count,
      job_version: job.version,
      reason: lapse.reason,
      decider: decider(job.version, lapse.recorded_at),
    })
  }
  items.sort((a, b) => a.due_from.localeCompare(b.due_from))
  return {
    items: items.slice(0, 100),
    requested: runs.filter((run) => run.cause === 'manual' || run.cause === 'reboot'),
    due_after: items.length === 0 ? job.next_due : undefined,
  }
}
