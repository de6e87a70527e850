import type { Forecast, ForecastChange, Job, JobSpec } from '../api/types'
import { preview } from './schedule'
import type { World } from './seed'

/** A stand-in for the center's forecast: one agent is as busy as the other, and every run of a job starts on a multiple of its period. */

const BUCKET = 900
const DAY = 86_400

/** Seconds since the epoch of the starts of a schedule within a day from `from` on. */
function startsOf(expression: string, from: number): number[] {
  const meaning = preview(expression, from * 1_000, 2)
  if ('code' in meaning) return []
  const [first = 0, second = 0] = meaning.next.map((next) => Date.parse(next.due) / 1_000)
  const step = Math.max(second - first, 0.1)
  const starts: number[] = []
  for (let at = first; at < from + DAY && starts.length < 10_000; at += step) starts.push(Math.floor(at))
  return starts
}

function peakOf(jobs: readonly { starts: number[]; weight: number }[]) {
  const counts = new Map<number, number>()
  for (const { starts, weight } of jobs)
    for (const second of starts) counts.set(second, (counts.get(second) ?? 0) + weight)
  let [at, count] = [0, 0]
  for (const [second, starts] of [...counts].sort(([one], [other]) => one - other))
    if (starts > count) [at, count] = [second, starts]
  return count === 0 ? undefined : { at: new Date(at * 1_000).toISOString(), count }
}

const scheduled = (jobs: readonly Job[]) => jobs.filter((job) => job.spec.scheduled && !job.is_paused)

function frame(from: number) {
  return {
    from: new Date(from * 1_000).toISOString(),
    until: new Date((from + DAY) * 1_000).toISOString(),
    first_bucket: new Date(from * 1_000 - (from % BUCKET) * 1_000).toISOString(),
    bucket_seconds: BUCKET,
    is_everything: true,
  }
}

export function forecast(world: World, all: readonly Job[], query: URLSearchParams): Forecast {
  const from = Math.floor(Date.now() / 1_000)
  const agent = world.agents.find((each) => each.id === query.get('agent'))
  const jobs = scheduled(all)
    .filter((job) => !query.has('group') || job.group_id === query.get('group'))
    .filter((job) => !agent || agent.group_ids.includes(job.group_id))
  const loads = jobs.map((job) => ({
    job,
    starts: startsOf(job.spec.scheduled?.expression ?? '', from),
    weight: job.spec.processes ?? 1,
  }))
  const peak = peakOf(loads)
  const starts_per_bucket = Array.from({ length: Math.ceil((DAY + (from % BUCKET)) / BUCKET) }, () => 0)
  for (const { starts, weight } of loads)
    for (const second of starts) {
      const place = Math.floor((second - from + (from % BUCKET)) / BUCKET)
      starts_per_bucket[place] = (starts_per_bucket[place] ?? 0) + weight
    }
  const second = peak ? Date.parse(peak.at) / 1_000 : 0
  const makers = loads.filter(({ starts }) => starts.includes(second))
  return {
    ...frame(from),
    total: {
      starts: starts_per_bucket.reduce((sum, starts) => sum + starts, 0),
      starts_per_bucket,
      peak,
      peak_jobs: makers.slice(0, 10).map(({ job, weight }) => ({
        job_id: job.id,
        job_name: job.spec.name,
        starts: weight,
      })),
      peak_job_count: makers.length,
      alive_peak: peak,
      busy_ms: 0,
    },
    groups: [],
    group_count: 0,
    agents: [],
    agent_count: 0,
    overlaps: [],
    overlap_count: 0,
    suggestions: [],
    job_count: jobs.length,
    unknown_duration_count: 0,
    approximate_job_count: 0,
    unreadable_job_count: 0,
  }
}

/** Runs of every job that exists last up to two minutes, so that a schedule more often than that overlaps. */
export function change(world: World, all: readonly Job[], body: Record<string, unknown>): ForecastChange {
  const from = Math.floor(Date.now() / 1_000)
  const spec = body.spec as JobSpec
  const old = all.find((job) => job.id === body.job_id)
  const groupId = old?.group_id ?? body.group_id
  const agents = world.agents.filter((agent) => agent.group_ids.includes(String(groupId)))
  const expression = spec.scheduled?.expression ?? ''
  const mine = { starts: startsOf(expression, from), weight: spec.processes ?? 1 }
  const others = scheduled(all)
    .filter((job) => job.group_id === groupId && job.id !== old?.id)
    .map((job) => ({
      starts: startsOf(job.spec.scheduled?.expression ?? '', from),
      weight: job.spec.processes ?? 1,
    }))
  const was = old?.spec.scheduled
    ? [{ starts: startsOf(old.spec.scheduled.expression, from), weight: old.spec.processes ?? 1 }]
    : []
  const gap = (mine.starts[1] ?? from + DAY) - (mine.starts[0] ?? from)
  return {
    ...frame(from),
    starts_before: was[0]?.starts.length ?? 0,
    starts_after: mine.starts.length * mine.weight,
    added_per_bucket: [],
    agents: agents.map((agent) => ({
      agent_id: agent.id,
      agent_name: agent.name,
      before: peakOf([...others, ...was]),
      after: peakOf([...others, mine]),
      added_per_bucket: [],
    })),
    agent_count: agents.length,
    durations: old ? { p50_ms: 90_000, p90_ms: 120_000, run_count: 100 } : undefined,
    overlap:
      old && gap < 120
        ? {
            job_id: old.id,
            job_name: old.spec.name,
            lasting_ms: 120_000,
            shortest_gap_ms: gap * 1_000,
            first: new Date((mine.starts[1] ?? from) * 1_000).toISOString(),
            count: Math.floor(mine.starts.length / 2),
            due_count: mine.starts.length,
            effect: 'skips',
            is_approximate: false,
          }
        : undefined,
    is_approximate: false,
  }
}
