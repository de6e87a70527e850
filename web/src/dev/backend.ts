import type { DstPolicy, Event, Group, Job, JobSpec, Page, Role, Secret } from '../api/types'
import { bulk } from './bulk'
import { Calendars } from './calendars'
import { change, forecast } from './forecast'
import { notFound, Refused } from './refused'
import { endRun, follow, runEvent, startRun, tick } from './runs'
import { preview } from './schedule'
import { seed, uuid, type World } from './seed'
import { why } from './why'
import { snoozed, Windows } from './windows'

/**
 * A center in memory, with the REST interface as its only surface. It serves `npm run mock` and component tests, and is
 * never part of a build. It keeps no promises of the real one beyond the shapes of its answers.
 */

interface Options {
  /** Runs come and go by themselves. */
  live?: boolean
  /** Nobody has been created yet. */
  isNew?: boolean
  /** Signed in from the start as this login. */
  as?: string
  /** More jobs, for lists of any length. */
  manyJobs?: number
  now?: number
}

interface Context {
  world: World
  path: string[]
  query: URLSearchParams
  body: Record<string, unknown>
  headers: Headers
}

type Handler = (context: Context) => unknown

export interface Backend {
  handle: (request: Request) => Promise<Response>
  world: World
  /** Tells every open page of a change. */
  emit: (event: Event) => void
}

export function backend(options: Options = {}): Backend {
  const world = seed(options.now ?? Date.now(), options.manyJobs ?? Number(process.env.MOCK_JOBS ?? 0))
  const secrets = new Map<string, Secret[]>()
  const windows = new Windows(world)
  const listeners = new Set<(event: Event) => void>()
  const emit = (event: Event) => {
    for (const listener of listeners) listener(event)
  }
  let isNew = options.isNew ?? false
  let login: string | undefined = options.as ?? (options.live ? 'admin' : undefined)

  const me = () => {
    const user = world.users.find((each) => each.login === login)
    if (!user) throw new Refused(401, { code: 'auth.required', message: 'sign in first' })
    const roles = world.groups.flatMap((group) => {
      const role = group.members.find((member) => member.user_id === user.id)?.role
      return role ? [{ group_id: group.id, group_name: group.name, role }] : []
    })
    return { user, roles }
  }
  const roleIn = (groupId: string): Role | undefined => {
    const { user, roles } = me()
    return user.is_admin ? 'owner' : roles.find((role) => role.group_id === groupId)?.role
  }
  const mine = <T extends { group_id: string }>(rows: T[]) => rows.filter((row) => roleIn(row.group_id))
  const showJob = (job: Job): Job => ({ ...job, my_role: roleIn(job.group_id) ?? 'viewer' })
  const showGroup = (group: Group): Group => ({ ...group, my_role: roleIn(group.id) ?? 'viewer' })
  const jobOf = (id: string | undefined) => {
    const job = mine(world.jobs).find((each) => each.id === id)
    if (!job) throw notFound()
    return job
  }
  const changedJob = (job: Job) => {
    emit({ kind: 'job', id: job.id, group_id: job.group_id })
    return showJob(job)
  }

  const calendars = new Calendars(world, me, roleIn)

  const routes: Record<string, Handler> = {
    'GET setup': () => ({ is_needed: isNew }),
    'POST setup': ({ body }) => {
      if (body.code !== 'cfs-1234') {
        throw new Refused(403, {
          code: 'setup.code_wrong',
          message: 'the setup code is wrong',
          field: 'code',
        })
      }
      isNew = false
      login = 'admin'
      return me()
    },
    'POST session': ({ body }) => {
      const user = world.users.find((each) => each.login === body.login && !each.is_disabled)
      if (!user || world.passwords.get(user.login) !== body.password) {
        throw new Refused(401, { code: 'auth.failed', message: 'login or password is wrong' })
      }
      login = user.login
      return me()
    },
    'GET session': me,
    'DELETE session': () => {
      login = undefined
    },
    'POST session/password': () => undefined,
    'GET about': () => ({
      version: '0.1.0',
      tzdb_version: '2026b',
      engine: 'sqlite',
      now: new Date(world.now + (Date.now() - world.now)).toISOString(),
      default_time_zone: 'Europe/Berlin',
      agent_address: 'center.example.org:8781',
      ca_sha256: '9c1185a5c5e9fc54612808977ee8f548b2258d31'.padEnd(64, '7'),
    }),
    'GET users': ({ query }) =>
      page(
        world.users.filter((user) => has(user.login, query) || has(user.display_name, query)),
        query,
      ),
    'POST users': ({ body }) => {
      if (world.users.some((user) => user.login === body.login)) {
        throw new Refused(409, {
          code: 'user.login_taken',
          message: 'another user has this login',
          field: 'login',
        })
      }
      const user = {
        id: uuid(1, world.users.length),
        login: String(body.login),
        display_name: String(body.display_name ?? body.login),
        is_admin: Boolean(body.is_admin),
        is_disabled: false,
        created_at: new Date().toISOString(),
      }
      world.users.push(user)
      return user
    },
    'PATCH users/*': ({ path, body }) => assign(world.users, path[1], body),
    'GET groups': ({ query }) => page(world.groups.filter((group) => roleIn(group.id)).map(showGroup), query),
    'POST groups': ({ body }) => {
      const group: Group = {
        id: uuid(2, world.groups.length),
        name: String(body.name),
        description: String(body.description ?? ''),
        run_as: (body.run_as as string[]) ?? [],
        agent_ids: (body.agent_ids as string[]) ?? [],
        job_count: 0,
        members: [],
        my_role: 'owner',
        created_at: new Date().toISOString(),
      }
      world.groups.push(group)
      return group
    },
    'GET groups/*': ({ path }) => {
      const group = world.groups.find((each) => each.id === path[1] && roleIn(each.id))
      if (!group) throw notFound()
      return showGroup(group)
    },
    'PATCH groups/*': ({ path, body }) => assign(world.groups, path[1], body),
    'DELETE groups/*': ({ path }) => {
      world.groups = world.groups.filter((group) => group.id !== path[1])
    },
    'GET groups/*/candidates': ({ query }) =>
      world.users
        .filter((user) => has(user.login, query) || has(user.display_name, query))
        .map((user) => ({ user_id: user.id, login: user.login, display_name: user.display_name })),
    'PUT groups/*/members/*': ({ path, body }) => {
      const group = world.groups.find((each) => each.id === path[1])
      const user = world.users.find((each) => each.id === path[3])
      if (!group || !user) throw notFound()
      group.members = [
        ...group.members.filter((member) => member.user_id !== user.id),
        { user_id: user.id, login: user.login, display_name: user.display_name, role: body.role as Role },
      ]
    },
    'DELETE groups/*/members/*': ({ path }) => {
      const group = world.groups.find((each) => each.id === path[1])
      if (group) group.members = group.members.filter((member) => member.user_id !== path[3])
    },
    'GET groups/*/secrets': ({ path }) => secrets.get(path[1] ?? '') ?? [],
    'PUT groups/*/secrets/*': ({ path }) => {
      const list = secrets.get(path[1] ?? '') ?? []
      const before = list.find((secret) => secret.name === path[3])
      const now = new Date().toISOString()
      const secret: Secret = {
        name: path[3] ?? '',
        version: (before?.version ?? 0) + 1,
        updated_by: me().user.login,
        created_at: before?.created_at ?? now,
        updated_at: now,
      }
      const others = list.filter((each) => each !== before)
      secrets.set(
        path[1] ?? '',
        [...others, secret].sort((a, b) => a.name.localeCompare(b.name)),
      )
      return secret
    },
    'DELETE groups/*/secrets/*': ({ path }) => {
      const list = secrets.get(path[1] ?? '') ?? []
      secrets.set(
        path[1] ?? '',
        list.filter((secret) => secret.name !== path[3]),
      )
    },
    'GET centers': () => ({ items: world.centers }),
    'GET agents': ({ query }) =>
      page(
        world.agents.filter(
          (agent) =>
            has(agent.name, query) &&
            fits(agent.state, query.get('state')) &&
            fits(String(agent.is_online), query.get('online')) &&
            (!query.get('group') || agent.group_ids.includes(query.get('group') ?? '')) &&
            (me().user.is_admin || agent.group_ids.some((group) => roleIn(group))),
        ),
        query,
      ),
    'GET agents/*': ({ path }) => find(world.agents, path[1]),
    'PATCH agents/*': ({ path, body }) => assign(world.agents, path[1], body),
    'POST agents/*/approve': ({ path, body }) =>
      assign(world.agents, path[1], { state: 'active', group_ids: body.group_ids }),
    'DELETE agents/*': ({ path }) => {
      assign(world.agents, path[1], { state: 'revoked', is_online: false })
    },
    'POST agents/join-tokens': () => ({
      token: 'cfj_n4mJb6xqgT0Yw9cVZs2RkEoHPfLDaU7i',
      command:
        'cronfleet agent join --center center.example.org:8781 --token cfj_n4mJb6xqgT0Yw9cVZs2RkEoHPfLDaU7i',
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    }),
    'GET jobs': ({ query }) =>
      page(
        mine(world.jobs)
          .filter(
            (job) =>
              has(job.spec.name, query) &&
              fits(job.group_id, query.get('group')) &&
              fits(job.kind, query.get('kind')) &&
              fits(String(job.is_paused), query.get('paused')),
          )
          .map(showJob),
        query,
      ),
    'POST jobs': ({ body }) => {
      const spec = body.spec as JobSpec
      checkSpec(world, spec, undefined)
      const group = world.groups.find((each) => each.id === body.group_id)
      if (!group) throw notFound()
      const meaning = spec.scheduled ? preview(spec.scheduled.expression, Date.now(), 1) : undefined
      const known = meaning && 'next' in meaning ? meaning : undefined
      const job: Job = {
        id: uuid(4, 500_000 + world.jobs.length),
        group_id: group.id,
        group_name: group.name,
        kind: spec.daemon ? 'daemon' : 'scheduled',
        version: 1,
        spec,
        is_paused: Boolean(body.is_paused),
        sentence_en: known?.sentence_en,
        sentence_zh: known?.sentence_zh,
        next_due: known?.next[0]?.due,
        recent: [],
        slots_wanted: 0,
        slots_running: 0,
        slots_crash_loop: 0,
        updated_by: me().user.login,
        created_at: new Date().toISOString(),
        updated_at: new Date().toISOString(),
        my_role: 'owner',
      }
      world.jobs.push(job)
      world.versions.set(job.id, [{ version: 1, spec, author: job.updated_by, created_at: job.created_at }])
      return changedJob(job)
    },
    'GET jobs/*': ({ path }) => showJob(jobOf(path[1])),
    'PUT jobs/*': ({ path, body, headers }) => {
      const job = jobOf(path[1])
      if (headers.get('if-match') !== `"${job.version}"`) {
        throw new Refused(412, { code: 'job.version_stale', message: `the job is at version ${job.version}` })
      }
      const spec = body.spec as JobSpec
      checkSpec(world, spec, job.id)
      Object.assign(job, { spec, version: job.version + 1, updated_at: new Date().toISOString() })
      const entry = { version: job.version, spec, author: me().user.login, created_at: job.updated_at }
      world.versions.set(job.id, [entry, ...(world.versions.get(job.id) ?? [])])
      return changedJob(job)
    },
    'DELETE jobs/*': ({ path }) => {
      const job = jobOf(path[1])
      world.jobs = world.jobs.filter((each) => each !== job)
      changedJob(job)
    },
    'PUT jobs/*/snooze': ({ path, body }) =>
      changedJob(snoozed(jobOf(path[1]), String(body.until), me().user.login)),
    'DELETE jobs/*/snooze': ({ path }) => changedJob(Object.assign(jobOf(path[1]), { snooze: undefined })),
    ...windows.routes(() => me().user.login),
    ...calendars.routes(),
    ...bulk({
      world,
      jobs: () => mine(world.jobs),
      role: (job) => roleIn(job.group_id) ?? 'viewer',
      by: () => me().user.login,
      changed: changedJob,
      run: (job) => {
        const run = startRun(world, job, 'manual', me().user.login)
        emit(runEvent(run))
        return run.id
      },
      refuse: (status, code, message, problems) => new Refused(status, { code, message, problems }),
    }),
    'POST jobs/*/pause': ({ path }) => changedJob(Object.assign(jobOf(path[1]), { is_paused: true })),
    'POST jobs/*/resume': ({ path }) => changedJob(Object.assign(jobOf(path[1]), { is_paused: false })),
    'POST jobs/*/run': ({ path }) => {
      const run = startRun(world, jobOf(path[1]), 'manual', me().user.login)
      emit(runEvent(run))
      return { run_ids: [run.id] }
    },
    'GET jobs/*/versions': ({ path, query }) => page(world.versions.get(jobOf(path[1]).id) ?? [], query),
    'GET jobs/*/lapses': ({ path, query }) =>
      page(
        world.lapses.filter((lapse) => lapse.job_id === path[1]),
        query,
      ),
    'GET jobs/*/why': ({ path, query }) => why(world, jobOf(path[1]), query),
    'POST schedules/preview': ({ body }) => {
      const zone = String(body.time_zone)
      if (zone === 'Mars/Base') {
        throw new Refused(422, {
          code: 'schedule.unknown_time_zone',
          message: 'no such time zone',
          field: 'time_zone',
          column: 1,
        })
      }
      const { gap } = (body.dst ?? {}) as DstPolicy
      const answer = preview(String(body.expression), Date.now(), Number(body.count ?? 10), gap === 'skip')
      if ('code' in answer) throw new Refused(422, { ...answer, field: 'expression' })
      return answer
    },
    'GET forecast': ({ query }) => forecast(world, mine(world.jobs), query),
    'POST forecast/change': ({ body }) => change(world, mine(world.jobs), body),
    'GET runs': ({ query }) =>
      page(
        mine(world.runs).filter(
          (run) =>
            fits(run.job_id, query.get('job')) &&
            fits(run.agent_id, query.get('agent')) &&
            fits(run.group_id, query.get('group')) &&
            fits(run.state, query.get('state')) &&
            fits(run.outcome ?? '', query.get('outcome')) &&
            fits(run.cause, query.get('cause')) &&
            (!query.get('from') || run.due >= (query.get('from') ?? '')) &&
            (!query.get('to') || run.due <= (query.get('to') ?? '')),
        ),
        query,
      ),
    'GET runs/*': ({ path }) => find(mine(world.runs), path[1]),
    'POST runs/*/kill': ({ path }) => {
      const run = find(mine(world.runs), path[1])
      endRun(world, run, 'killed', me().user.login)
      emit(runEvent(run))
      return run
    },
    'GET lapses': ({ query }) => page(world.lapses, query),
    'GET slots': ({ query }) =>
      page(
        mine(world.slots).filter(
          (slot) =>
            fits(slot.job_id, query.get('job')) &&
            fits(slot.agent_id, query.get('agent')) &&
            fits(slot.group_id, query.get('group')),
        ),
        query,
      ),
    'POST slots/restart': () => ({ agents_told: 1, agents_waiting: 0 }),
    'GET processes': ({ query }) =>
      page(
        world.processes.filter(
          (process) =>
            fits(process.job_id, query.get('job')) &&
            fits(process.agent_id, query.get('agent')) &&
            fits(String(process.index), query.get('index')),
        ),
        query,
      ),
    'GET outputs/*': ({ path, query }) => {
      const all = world.outputs.get(path[1] ?? '') ?? []
      const from = Number(query.get('from') ?? 0)
      return {
        chunks: all.filter((chunk) => chunk.offset >= from),
        next_from: all.length * 80,
        is_complete: true,
      }
    },
  }

  const stream = (
    request: Request,
    start: (send: (name: string, data: unknown, id?: number) => void) => () => void,
  ) => {
    const encoder = new TextEncoder()
    let stop: () => void = () => undefined
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const write = (text: string) => {
          try {
            controller.enqueue(encoder.encode(text))
          } catch {
            stop()
          }
        }
        write(': hello\n\n')
        const beat = setInterval(() => write(': alive\n\n'), 15_000)
        const end = start((name, data, id) =>
          write(`event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`),
        )
        stop = () => {
          clearInterval(beat)
          end()
        }
        request.signal.addEventListener('abort', () => stop())
      },
      cancel: () => stop(),
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }

  const handle = async (request: Request): Promise<Response> => {
    const url = new URL(request.url)
    const path = url.pathname.replace('/api/v1/', '').split('/')
    try {
      if (path[0] === 'events') {
        me()
        return stream(request, (send) => {
          const listener = (event: Event) => send(event.kind, event)
          listeners.add(listener)
          return () => listeners.delete(listener)
        })
      }
      if (path[0] === 'outputs' && path[2] === 'stream')
        return stream(request, (send) => follow(world, path[1] ?? '', url, send))
      const key = [request.method, pattern(path, routes, request.method)].join(' ')
      const handler = routes[key]
      if (!handler) throw notFound()
      const text = request.method === 'GET' ? '' : await request.text()
      const body = text ? (JSON.parse(text) as Record<string, unknown>) : {}
      const answer = handler({ world, path, query: url.searchParams, body, headers: request.headers })
      return answer === undefined ? new Response(null, { status: 204 }) : Response.json(answer)
    } catch (thrown) {
      if (!(thrown instanceof Refused)) throw thrown
      return Response.json({ error: { ...thrown.detail, request_id: 'mock-1' } }, { status: thrown.status })
    }
  }

  if (options.live) setInterval(() => tick(world, emit), 2_000)
  return { handle, world, emit }
}

function pattern(path: string[], routes: Record<string, Handler>, method: string): string {
  const exact = path.join('/')
  if (routes[`${method} ${exact}`]) return exact
  return path.map((part, nth) => (nth % 2 === 1 ? '*' : part)).join('/')
}

function page<T>(rows: readonly T[], query: URLSearchParams): Page<T> {
  const from = Number(query.get('cursor') ?? 0)
  const limit = Number(query.get('limit') ?? 100)
  const items = rows.slice(from, from + limit)
  return from + limit < rows.length ? { items, next_cursor: String(from + limit) } : { items }
}

const has = (text: string, query: URLSearchParams) =>
  text.toLowerCase().includes((query.get('q') ?? '').toLowerCase())
const fits = (value: string, wanted: string | null) => !wanted || wanted.split(',').includes(value)

function find<T extends { id: string }>(rows: readonly T[], id: string | undefined): T {
  const row = rows.find((each) => each.id === id)
  if (!row) throw notFound()
  return row
}

function assign<T extends { id: string }>(rows: readonly T[], id: string | undefined, change: object): T {
  const given = Object.entries(change).filter(([, value]) => value !== null && value !== undefined)
  return Object.assign(find(rows, id), Object.fromEntries(given))
}

function checkSpec(world: World, spec: JobSpec, id: string | undefined): void {
  if (spec.name === '') {
    throw new Refused(422, {
      code: 'job.name_length',
      message: 'the name is empty',
      field: 'spec.name',
      hint: 'use 1 to 128 characters',
    })
  }
  if (world.jobs.some((job) => job.spec.name === spec.name && job.id !== id)) {
    throw new Refused(409, {
      code: 'job.name_taken',
      message: 'another job of the group has this name',
      field: 'spec.name',
    })
  }
  if (spec.command.argv && spec.command.argv.length === 0) {
    throw new Refused(422, {
      code: 'job.command_empty',
      message: 'the command is empty',
      field: 'spec.command.argv',
    })
  }
  const meaning = spec.scheduled ? preview(spec.scheduled.expression, 0, 1) : undefined
  if (meaning && 'code' in meaning) throw new Refused(422, { ...meaning, field: 'spec.scheduled.expression' })
}
