import type { Job, Window, WindowCreate, WindowReplace } from '../api/types'
import { uuid, type World } from './seed'

interface Call {
  path: string[]
  query: URLSearchParams
  body: Record<string, unknown>
}

/** A job that rests from now until then. */
export function snoozed(job: Job, until: string, by: string): Job {
  return Object.assign(job, { snooze: { until, by, since: new Date().toISOString() } })
}

/** Windows of the center in memory. What they hold shows at their jobs, and nothing else comes of it. */
export class Windows {
  private readonly all: Window[] = []

  constructor(private readonly world: World) {}

  /** The part of the interface that is about windows; `by` says who calls. */
  routes(by: () => string): Record<string, (call: Call) => unknown> {
    return {
      'GET windows': ({ query }) => ({ items: this.list(query.get('over') === 'true') }),
      'POST windows': ({ body }) => this.create(body, by()),
      'PUT windows/*': ({ path, body }) => this.change(String(path[1]), body, by()),
      'DELETE windows/*': ({ path }) => this.end(String(path[1])),
    }
  }

  private list(withOver: boolean): Window[] {
    return this.all.filter((window) => withOver || window.state !== 'over').toReversed()
  }

  private create(body: Partial<WindowCreate>, by: string): Window {
    const group = this.world.groups.find((each) => each.id === body.group_id)
    const job = this.world.jobs.find((each) => each.id === body.job_id)
    const window: Window = {
      id: uuid(8, this.all.length),
      version: 0,
      group_id: group?.id ?? job?.group_id,
      job_id: job?.id,
      scope_name: job?.spec.name ?? group?.name ?? '',
      reason: '',
      state: 'waiting',
      changed_by: by,
      changed_at: new Date().toISOString(),
      my_role: group || job ? 'owner' : undefined,
    }
    this.all.push(window)
    return this.change(window.id, body, by)
  }

  private change(id: string, body: Partial<WindowReplace>, by: string): Window {
    const window = this.of(id)
    const now = new Date().toISOString()
    const once = body.once ? { ...body.once, from: body.once.from ?? now } : undefined
    const isHolding = Boolean(once && once.from <= now)
    Object.assign(window, {
      version: window.version + 1,
      reason: body.reason,
      once,
      recurring: body.recurring ?? undefined,
      state: isHolding ? 'holding' : 'waiting',
      holds_until: isHolding ? once?.until : undefined,
      changed_by: by,
      changed_at: now,
    })
    this.show()
    return window
  }

  private end(id: string): void {
    const window = this.of(id)
    const { holds_until: _, ...rest } = window
    this.all.splice(this.all.indexOf(window), 1, {
      ...rest,
      state: 'over',
      ended_at: new Date().toISOString(),
    })
    this.show()
  }

  private of(id: string): Window {
    const window = this.all.find((each) => each.id === id)
    if (!window) throw new Error(`there is no window ${id}`)
    return window
  }

  /** Says at every job what holds it now. */
  private show(): void {
    for (const job of this.world.jobs) {
      const holds = (window: Window) =>
        window.state === 'holding' &&
        (window.job_id ? window.job_id === job.id : !window.group_id || window.group_id === job.group_id)
      const window = this.all.find(holds)
      job.frozen =
        window && job.kind === 'scheduled'
          ? { window_id: window.id, reason: window.reason, until: window.holds_until ?? '' }
          : undefined
    }
  }
}
