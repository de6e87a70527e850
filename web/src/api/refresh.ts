import type { QueryClient, QueryKey } from '@tanstack/react-query'
import type { Event, Job, Page, Run } from './types'

/** Shortest time between two refreshes in ms: a fleet that changes all the time must not keep the browser busy. */
const INTERVAL_MIN = 1_000

/**
 * Turns events into refetches of what is on the screen. Rows that are shown change in place at once as far as the event
 * tells; everything else is refetched together, at most once a second, and less often when refetching takes long.
 */
export class Refresher {
  private readonly stale = new Map<string, QueryKey>()
  private timer: ReturnType<typeof setTimeout> | undefined
  private lastEnd = 0
  private lastCost = 0

  constructor(private readonly client: QueryClient) {}

  take(event: Event): void {
    switch (event.kind) {
      case 'job':
        this.mark(['jobs', event.id], ['jobs', 'list'], ['windows'], ['preview'], ['calendars', 'list'])
        break
      case 'run':
        this.patchRun(event)
        this.mark(['runs'], ['jobs', event.job_id], ['jobs', 'list'])
        if (event.state === 'ended') this.mark(['agents'])
        break
      case 'slot':
        this.mark(
          ['slots'],
          ['processes', event.job_id],
          ['jobs', event.job_id],
          ['jobs', 'list'],
          ['agents'],
        )
        break
      case 'agent':
        this.mark(['agents'], ['slots'])
        break
      case 'group':
        this.mark(['groups'], ['session'], ['agents'])
        break
      case 'resync':
        this.mark([])
        break
      default:
        event satisfies never
    }
  }

  /** Refetches everything that is shown, soon. */
  everything(): void {
    this.mark([])
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.stale.clear()
  }

  private mark(...keys: QueryKey[]): void {
    for (const key of keys) this.stale.set(JSON.stringify(key), key)
    if (this.timer) return
    const wait = Math.max(100, this.lastEnd + Math.max(INTERVAL_MIN, 2 * this.lastCost) - Date.now())
    this.timer = setTimeout(() => void this.flush(), wait)
  }

  private async flush(): Promise<void> {
    const keys = [...this.stale.values()]
    this.stale.clear()
    const begin = Date.now()
    const all = keys.some((key) => key.length === 0)
    const filters = all ? [{ predicate: isCenterData }] : keys.map((queryKey) => ({ queryKey }))
    await Promise.allSettled(
      filters.map((filter) => this.client.invalidateQueries(filter, { cancelRefetch: false })),
    )
    this.lastEnd = Date.now()
    this.lastCost = this.lastEnd - begin
    this.timer = undefined
    const next = [...this.stale.values()]
    if (next.length > 0) this.mark(...next)
  }

  private patchRun(event: Extract<Event, { kind: 'run' }>): void {
    const moved = <T extends Pick<Run, 'id' | 'state' | 'outcome'>>(run: T): T =>
      run.id === event.id && run.state !== 'ended'
        ? { ...run, state: event.state, outcome: event.outcome }
        : run
    this.client.setQueryData<Run>(['runs', event.id], (run) => run && moved(run))
    this.client.setQueriesData<Page<Run>>({ queryKey: ['runs', 'list'] }, (page) =>
      page?.items.some((run) => run.id === event.id) ? { ...page, items: page.items.map(moved) } : page,
    )
    if (event.state !== 'ended') return
    this.client.setQueriesData<Page<Job>>({ queryKey: ['jobs', 'list'] }, (page) =>
      page?.items.some((job) => job.recent.some((run) => run.id === event.id))
        ? { ...page, items: page.items.map((job) => withOutcome(job, event.id, event.outcome)) }
        : page,
    )
  }
}

function withOutcome(job: Job, run: string, outcome: Run['outcome']): Job {
  if (!job.recent.some((each) => each.id === run)) return job
  return { ...job, recent: job.recent.map((each) => (each.id === run ? { ...each, outcome } : each)) }
}

/** The setup state does not depend on events; forecasts follow their own, slower time. */
function isCenterData(query: { queryKey: QueryKey }): boolean {
  return !['setup', 'forecast'].includes(String(query.queryKey[0]))
}
