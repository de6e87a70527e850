import type { Event, Job, Run } from '../api/types'
import { preview } from './schedule'
import { endedRun, type World } from './seed'

/** Runs of the center in memory: how they begin, end, and are followed. */

let started = 900_000

export function startRun(world: World, job: Job, cause: Run['cause'], requestedBy?: string): Run {
  const agent = world.agents.find((each) => each.state === 'active')
  started += 1
  const run = endedRun(world, job, agent, Date.now(), 'succeeded', { durationMs: 6_000 }, started)
  Object.assign(run, {
    state: 'running',
    outcome: undefined,
    ended_at: undefined,
    duration_us: undefined,
    exit_code: undefined,
    cause,
    requested_by: requestedBy,
  })
  world.runs.unshift(run)
  job.recent = [{ id: run.id, due: run.due }, ...job.recent].slice(0, 20)
  return run
}

export function endRun(world: World, run: Run, outcome: NonNullable<Run['outcome']>, by?: string): void {
  const ms = Date.now() - Date.parse(run.started_at ?? run.due)
  Object.assign(run, {
    state: 'ended',
    outcome,
    ended_at: new Date().toISOString(),
    duration_us: ms * 1_000,
    exit_code: outcome === 'succeeded' ? 0 : undefined,
    signal: outcome === 'killed' ? 'TERM' : undefined,
    killed_by: by,
    is_kill_requested: Boolean(by),
  })
  const job = world.jobs.find((each) => each.id === run.job_id)
  if (job)
    job.recent = job.recent.map((each) => (each.id === run.id ? { ...each, outcome, duration_ms: ms } : each))
}

export const runEvent = (run: Run): Event => ({
  kind: 'run',
  id: run.id,
  job_id: run.job_id,
  group_id: run.group_id,
  agent_id: run.agent_id,
  state: run.state,
  outcome: run.outcome,
})

export function tick(world: World, emit: (event: Event) => void): void {
  for (const run of world.runs.filter(
    (each) => each.state === 'running' && Date.now() - Date.parse(each.due) > 6_000,
  )) {
    if (run.job_name === 'database-backup') continue
    endRun(world, run, 'succeeded')
    emit(runEvent(run))
  }
  const beat = world.jobs.find((job) => job.spec.name === 'heartbeat' && !job.is_paused)
  if (beat) emit(runEvent(startRun(world, beat, 'schedule')))
  for (const agent of world.agents) {
    if (agent.is_online) agent.last_seen_at = new Date().toISOString()
  }
  for (const job of world.jobs) {
    if (!job.spec.scheduled || job.is_paused) continue
    const meaning = preview(job.spec.scheduled.expression, Date.now(), 1)
    if ('next' in meaning) job.next_due = meaning.next[0]?.due
  }
}

export function follow(
  world: World,
  id: string,
  url: URL,
  send: (name: string, data: unknown, id?: number) => void,
): () => void {
  const all = world.outputs.get(id) ?? []
  let next = Number(url.searchParams.get('from') ?? 0)
  const timer = setInterval(() => {
    const chunk = all.find((each) => each.offset >= next)
    const isEnded = world.runs.find((run) => run.id === id)?.state === 'ended'
    if (chunk) {
      next = chunk.offset + 80
      send('chunk', chunk, next)
    } else if (isEnded) {
      send('end', {})
      clearInterval(timer)
    }
  }, 150)
  return () => clearInterval(timer)
}
