import type {
  Agent,
  Center,
  Group,
  Job,
  JobSpec,
  JobVersion,
  Lapse,
  Outcome,
  OutputChunk,
  Process,
  Run,
  Slot,
  User,
} from '../api/types'
import { daemonDefaults } from '../features/job/spec'
import { preview } from './schedule'

/** Made-up data for working on the console and for component tests. Times count from `now`; nothing is random. */
export interface World {
  now: number
  users: User[]
  passwords: Map<string, string>
  groups: Group[]
  agents: Agent[]
  centers: Center[]
  jobs: Job[]
  versions: Map<string, JobVersion[]>
  runs: Run[]
  slots: Slot[]
  processes: Process[]
  lapses: Lapse[]
  outputs: Map<string, OutputChunk[]>
}

export const uuid = (kind: number, nth: number) =>
  `0000000${kind}-0000-7000-8000-${String(nth).padStart(12, '0')}`

const iso = (at: number) => new Date(at).toISOString()

export function seed(now: number, manyJobs = 0): World {
  const world: World = {
    now,
    users: [],
    passwords: new Map(),
    groups: [],
    agents: [],
    centers: [],
    jobs: [],
    versions: new Map(),
    runs: [],
    slots: [],
    processes: [],
    lapses: [],
    outputs: new Map(),
  }
  seedAccess(world)
  seedAgents(world)
  seedCenters(world)
  seedJobs(world, manyJobs)
  return world
}

function seedCenters(world: World): void {
  const sketches: [string, number, number, Partial<Center>][] = [
    ['center-a', 40, 2, { is_planning: true }],
    ['center-b', 12, 3, { is_here: true }],
    ['center-c', 3, 0, { is_live: false, last_seen_at: iso(world.now - 4 * 60_000) }],
  ]
  sketches.forEach(([name, days, agent_count, rest], nth) => {
    world.centers.push({
      id: `00000000000000${nth}`,
      name,
      version: '0.1.0',
      address: `https://${name}.example.org:8780`,
      agent_address: `${name}.example.org:8781`,
      started_at: iso(world.now - days * 86_400_000),
      last_seen_at: iso(world.now - 2_000),
      is_live: true,
      is_planning: false,
      is_here: false,
      agent_count,
      ...rest,
    })
  })
}

function seedAccess(world: World): void {
  const people: [string, string, boolean, boolean][] = [
    ['admin', 'Ada Admin', true, false],
    ['olga', 'Olga Operator', false, false],
    ['viktor', 'Viktor Viewer', false, false],
    ['wei', '王伟', false, false],
    ['old', 'Former Colleague', false, true],
  ]
  people.forEach(([login, display_name, is_admin, is_disabled], nth) => {
    world.users.push({
      id: uuid(1, nth),
      login,
      display_name,
      is_admin,
      is_disabled,
      created_at: iso(world.now - (90 - nth) * 86_400_000),
      last_sign_in_at: nth < 3 ? iso(world.now - nth * 7_200_000) : undefined,
    })
    world.passwords.set(login, 'correct horse battery')
  })
  const member = (nth: number, role: Group['members'][number]['role']) => {
    const user = world.users[nth]
    return { user_id: uuid(1, nth), login: user?.login ?? '', display_name: user?.display_name ?? '', role }
  }
  const groups: [string, string, string[], number[], Group['members']][] = [
    [
      'shop',
      'Everything behind the shop: orders, payments, mail.',
      ['shop', 'www-data'],
      [0, 1, 2],
      [member(1, 'operator'), member(2, 'viewer'), member(3, 'owner')],
    ],
    ['data', 'Nightly imports and reports.', ['etl'], [2, 3], [member(3, 'editor')]],
    ['platform', 'Housekeeping on every machine.', ['root', 'ops'], [0, 1, 2, 3], [member(1, 'editor')]],
  ]
  groups.forEach(([name, description, run_as, agents, members], nth) => {
    world.groups.push({
      id: uuid(2, nth),
      name,
      description,
      run_as,
      agent_ids: agents.map((agent) => uuid(3, agent)),
      job_count: 0,
      members,
      my_role: 'owner',
      created_at: iso(world.now - 80 * 86_400_000),
    })
  })
}

function seedAgents(world: World): void {
  const names = ['web-01', 'web-02', 'db-01', 'batch-01', 'edge-07']
  names.forEach((name, nth) => {
    const isPending = name === 'edge-07'
    const isOnline = name !== 'batch-01'
    world.agents.push({
      id: uuid(3, nth),
      name,
      state: isPending ? 'pending' : 'active',
      is_online: isOnline,
      group_ids: world.groups
        .filter((group) => group.agent_ids.includes(uuid(3, nth)))
        .map((group) => group.id),
      hostname: `${name}.example.org`,
      os: 'Debian GNU/Linux 12 (6.1.0-28-amd64)',
      arch: 'x86_64',
      version: '0.1.0',
      is_root: nth !== 3,
      cgroups: {
        mode: 'unified',
        kill_means: 'control_group',
        controllers: ['memory', 'cpu', 'pids'],
        detail: '',
      },
      cpu_count: 4,
      load_1m: [0.42, 5.31, 1.87, 0, 0.03][nth] ?? 0,
      memory_total_bytes: 16 * 2 ** 30,
      memory_available_bytes: (9 - nth) * 2 ** 30,
      running_count: [4, 3, 6, 0, 0][nth] ?? 0,
      clock_offset_us: isPending ? undefined : [120, -840, 2_310, 90][nth],
      round_trip_us: isPending ? undefined : 640 + nth * 90,
      key_fingerprint: `${nth}f3a91c07d55e2b8`.repeat(4),
      joined_at: iso(world.now - (70 - nth) * 86_400_000),
      last_seen_at: iso(world.now - (isOnline ? 2_000 : 5_400_000)),
      policy: isPending
        ? undefined
        : {
            file: nth === 2 ? undefined : '/etc/cronfleet/agent-policy.toml',
            digest: `${nth}c41e9`.repeat(12).slice(0, 64),
            read_at: iso(world.now - 9 * 3_600_000),
            reload_error: nth === 1 ? 'exec.mode is "some": use any, dirs or exact' : undefined,
            is_root_denied: true,
            min_uid: 1_000,
            run_as_allow: nth === 2 ? ['*'] : ['shop', 'svc-*'],
            exec_mode: nth === 0 ? 'dirs' : 'any',
            are_shells_allowed: nth !== 0,
            are_scripts_allowed: true,
            refused_count: nth === 0 ? 3 : 0,
            last_refused_at: nth === 0 ? iso(world.now - 1_800_000) : undefined,
            last_refusal: nth === 0 ? 'run_as.deny_root: root has uid 0' : undefined,
          },
      run_limits: nth === 0 ? { running_max: 16, starts_per_second: 20 } : {},
      slots_wanted: [3, 3, 1, 0, 0][nth] ?? 0,
      slots_running: [3, 2, 0, 0, 0][nth] ?? 0,
    })
  })
}

interface Sketch {
  name: string
  group: number
  expression?: string
  processes?: number
  argv?: string[]
  script?: string
  outcomes?: Outcome[]
  reason?: string
  durationMs?: number
  isPaused?: boolean
  zone?: string
  description?: string
}

const SKETCHES: Sketch[] = [
  { name: 'order-consumer', group: 0, processes: 3, argv: ['/srv/shop/bin/consume', '--queue', 'orders'] },
  { name: 'mail-sender', group: 0, processes: 1, argv: ['/srv/shop/bin/mail'] },
  { name: 'heartbeat', group: 2, expression: '* * * * * *', argv: ['/bin/date', '+%s.%N'], durationMs: 3 },
  {
    name: 'log-cleanup',
    group: 2,
    expression: '0 3 * * *',
    script: 'set -eu\nfind /var/log/shop -name "*.gz" -mtime +30 -print -delete\n',
    durationMs: 2_400,
    zone: 'Europe/Berlin',
  },
  {
    name: 'database-backup',
    group: 1,
    expression: '30 2 * * *',
    argv: ['/usr/local/bin/pg-backup', '--all'],
    durationMs: 780_000,
    outcomes: ['succeeded', 'succeeded', 'failed'],
    description: 'Full dump of every database to the object store. Takes about a quarter of an hour.',
    zone: 'Asia/Shanghai',
  },
  {
    name: 'import-prices',
    group: 1,
    expression: '*/15 * * * *',
    argv: ['/srv/etl/import', 'prices'],
    durationMs: 42_000,
    outcomes: ['succeeded', 'succeeded', 'timed_out', 'succeeded', 'skipped'],
    reason: 'overlap',
  },
  {
    name: 'payment-report',
    group: 0,
    expression: '0 9 * * *',
    argv: ['/srv/shop/bin/report', '--day', 'yesterday'],
    durationMs: 8_100,
    outcomes: ['failed'],
  },
  {
    name: 'session-gc',
    group: 0,
    expression: '*/5 * * * *',
    argv: ['/srv/shop/bin/gc'],
    durationMs: 640,
    outcomes: ['succeeded', 'succeeded', 'succeeded', 'missed'],
    reason: 'agent_offline',
  },
  {
    name: 'sitemap',
    group: 0,
    expression: '0 4 * * *',
    argv: ['/srv/shop/bin/sitemap'],
    durationMs: 61_000,
    isPaused: true,
  },
  {
    name: 'certificate-check',
    group: 2,
    expression: '0 * * * *',
    argv: ['/usr/local/bin/certcheck'],
    durationMs: 930,
    outcomes: ['succeeded', 'lost', 'succeeded', 'killed'],
    reason: 'agent_crashed',
  },
  {
    name: '每日对账',
    group: 1,
    expression: '0 1 * * *',
    argv: ['/srv/etl/reconcile'],
    durationMs: 95_000,
    zone: 'Asia/Shanghai',
  },
]

function seedJobs(world: World, many: number): void {
  const extra = Array.from(
    { length: many },
    (_, nth): Sketch => ({
      name: `tenant-${String(nth).padStart(5, '0')}-sync`,
      group: 1,
      expression: '*/15 * * * *',
      argv: ['/srv/etl/sync', String(nth)],
      durationMs: 1_000,
    }),
  )
  ;[...SKETCHES, ...extra].forEach((sketch, nth) => {
    const job = jobOf(world, sketch, nth)
    world.jobs.push(job)
    const group = world.groups[sketch.group]
    if (group) group.job_count += 1
    if (job.kind === 'daemon') addSlots(world, job)
    else addRuns(world, job, sketch, nth)
    const older = { ...job.spec, processes: 1, description: '' }
    world.versions.set(job.id, [
      { version: 2, spec: job.spec, author: 'olga', created_at: job.updated_at },
      { version: 1, spec: older, author: 'admin', created_at: job.created_at },
    ])
  })
  world.jobs.sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1))
  world.runs.sort((a, b) => (a.due < b.due ? 1 : -1))
  const gc = world.jobs.find((job) => job.spec.name === 'session-gc')
  if (gc) {
    world.lapses.push({
      job_id: gc.id,
      job_name: gc.spec.name,
      due_from: iso(world.now - 9 * 3_600_000),
      due_to: iso(world.now - 8 * 3_600_000),
      count: 12,
      reason: 'center_down',
      recorded_at: iso(world.now - 8 * 3_600_000 + 1_500),
    })
  }
}

function jobOf(world: World, sketch: Sketch, nth: number): Job {
  const group = world.groups[sketch.group]
  const spec: JobSpec = {
    name: sketch.name,
    description: sketch.description ?? '',
    command: sketch.script
      ? { script: { interpreter: ['/bin/sh'], text: sketch.script } }
      : { argv: sketch.argv },
    run_as: group?.run_as[0] ?? 'nobody',
    target: { all: true, agent_ids: [] },
    processes: sketch.processes ?? 1,
    ...(sketch.expression
      ? {
          scheduled: {
            expression: sketch.expression,
            time_zone: sketch.zone ?? 'UTC',
            timeout_ms: 3_600_000,
          },
        }
      : { daemon: daemonDefaults }),
  }
  const meaning = sketch.expression ? preview(sketch.expression, world.now, 1) : undefined
  const known = meaning && 'next' in meaning ? meaning : undefined
  return {
    id: uuid(4, nth),
    group_id: group?.id ?? '',
    group_name: group?.name ?? '',
    kind: sketch.expression ? 'scheduled' : 'daemon',
    version: 2,
    spec,
    is_paused: sketch.isPaused ?? false,
    sentence_en: known?.sentence_en,
    sentence_zh: known?.sentence_zh,
    next_due: sketch.isPaused ? undefined : known?.next[0]?.due,
    recent: [],
    slots_wanted: 0,
    slots_running: 0,
    slots_crash_loop: 0,
    updated_by: 'olga',
    created_at: iso(world.now - 40 * 86_400_000),
    updated_at: iso(world.now - 3 * 86_400_000),
    my_role: 'owner',
  }
}

function addRuns(world: World, job: Job, sketch: Sketch, nth: number): void {
  const period =
    { '* * * * * *': 1_000, '*/5 * * * *': 300_000, '*/15 * * * *': 900_000, '0 * * * *': 3_600_000 }[
      sketch.expression ?? ''
    ] ?? 86_400_000
  const group = world.groups.find((each) => each.id === job.group_id)
  const agent = world.agents.find(
    (each) => each.id === group?.agent_ids[nth % (group?.agent_ids.length || 1)],
  )
  const count = nth >= SKETCHES.length ? 0 : 24
  const due0 = Math.floor(world.now / period) * period
  const outcomes = sketch.outcomes ?? ['succeeded']
  for (let back = 0; back < count; back += 1) {
    const outcome = outcomes[back % outcomes.length] ?? 'succeeded'
    const run = endedRun(world, job, agent, due0 - back * period, outcome, sketch, nth * 1_000 + back)
    if (job.spec.name === 'database-backup' && back === 0) {
      Object.assign(run, {
        state: 'running',
        outcome: undefined,
        ended_at: undefined,
        duration_us: undefined,
        exit_code: undefined,
      })
    }
    world.runs.push(run)
    job.recent.push({
      id: run.id,
      due: run.due,
      outcome: run.outcome,
      duration_ms: run.duration_us == null ? undefined : Math.round(run.duration_us / 1_000),
    })
  }
  job.recent = job.recent.slice(0, 20)
}

export function endedRun(
  world: World,
  job: Job,
  agent: Agent | undefined,
  due: number,
  outcome: Outcome,
  sketch: Pick<Sketch, 'durationMs' | 'reason'>,
  nth: number,
): Run {
  const hasStarted = outcome !== 'skipped' && outcome !== 'missed'
  const lag = 1_400 + ((nth * 7_919) % 9_000)
  const duration = Math.round((sketch.durationMs ?? 100) * (0.8 + ((nth * 31) % 40) / 100) * 1_000)
  const start = due + lag / 1_000
  const isEnd = hasStarted && outcome !== 'lost'
  const id = uuid(5, nth)
  if (hasStarted) world.outputs.set(id, sampleOutput(start, nth))
  return {
    id,
    job_id: job.id,
    job_name: job.spec.name,
    job_version: 2,
    group_id: job.group_id,
    agent_id: agent?.id ?? '',
    agent_name: agent?.name ?? '',
    copy: 0,
    copies: 1,
    attempt: 1,
    cause: 'schedule',
    is_caught_up: false,
    state: 'ended',
    outcome,
    reason: outcome === 'skipped' || outcome === 'missed' || outcome === 'lost' ? sketch.reason : undefined,
    due: iso(due),
    not_before: iso(due),
    not_after: iso(due + 60_000),
    planned_at: iso(due - 12_000),
    dispatched_at: hasStarted ? iso(due - 11_988) : undefined,
    accepted_at: hasStarted ? iso(due - 11_979) : undefined,
    started_at: hasStarted ? iso(start) : undefined,
    ended_at: isEnd ? iso(start + duration / 1_000) : undefined,
    lag_us: hasStarted ? lag : undefined,
    duration_us: isEnd ? duration : undefined,
    pid: hasStarted ? 20_000 + nth : undefined,
    exit_code: outcome === 'failed' ? 3 : outcome === 'succeeded' ? 0 : undefined,
    signal: outcome === 'killed' || outcome === 'timed_out' ? 'TERM' : undefined,
    user_time_us: isEnd ? Math.round(duration * 0.6) : undefined,
    system_time_us: isEnd ? Math.round(duration * 0.08) : undefined,
    memory_peak_bytes: isEnd ? 48 * 2 ** 20 : undefined,
    oom_kills: 0,
    cleanup:
      outcome === 'killed' || outcome === 'timed_out'
        ? { stop_signal: 'TERM', kill_means: 'control_group', found: 3, left: 0 }
        : undefined,
    output_bytes: hasStarted ? 2_380 : 0,
    output_dropped_bytes: 0,
    output_trimmed_bytes: 0,
    is_kill_requested: outcome === 'killed',
    killed_by: outcome === 'killed' ? 'olga' : undefined,
    attempts: [],
  }
}

function sampleOutput(start: number, nth: number): OutputChunk[] {
  const lines: [OutputChunk['stream'], string][] = [
    ['stdout', '\x1b[1mcronfleet sample job\x1b[0m starting\n'],
    ['stdout', 'connecting to \x1b[36mdb-01.example.org\x1b[0m … \x1b[32mok\x1b[0m\n'],
    ['stderr', '\x1b[33mwarning:\x1b[0m 3 rows have no owner, skipped\n'],
    ...Array.from({ length: 24 }, (_, row): [OutputChunk['stream'], string] => [
      'stdout',
      `\x1b[2m[${String(row).padStart(3, '0')}]\x1b[22m processed batch ${row * 50}-${row * 50 + 49}: ${(row * 7 + nth) % 50} changed\n`,
    ]),
    ['stderr', '\x1b[1;31merror:\x1b[0m batch 25 refused: \x1b[4mtimeout\x1b[24m after 30 s\n'],
    ['stdout', '中文输出也能正常显示 ✓ <b>not markup</b>\n'],
  ]
  return lines.map(([stream, text], place) => ({
    offset: place * 80,
    at: iso(start + place * 37),
    stream,
    text,
  }))
}

/** One job is being replaced; one process of it does not answer. */
function outlook(
  world: World,
  job: string,
  state: Slot['state'],
  place: number,
  index: number,
): Pick<Slot, 'probe' | 'next_step' | 'next_at'> {
  if (state !== 'running') return { next_step: 'start', next_at: iso(world.now + 22_000) }
  const isIll = place === 0 && index === 1
  const probe: Slot['probe'] = isIll
    ? { kind: 'health', is_ok: false, failures: 2, detail: '127.0.0.1:8081: connection refused' }
    : { kind: 'health', is_ok: true, failures: 0 }
  return { probe, next_step: job === 'order-consumer' && place === 1 ? 'replace' : undefined }
}

function addSlots(world: World, job: Job): void {
  const group = world.groups.find((each) => each.id === job.group_id)
  const agents = world.agents.filter((agent) => group?.agent_ids.includes(agent.id))
  const isLooping = job.spec.name === 'mail-sender'
  agents.forEach((agent, place) => {
    for (let index = 0; index < (job.spec.processes ?? 1); index += 1) {
      const state =
        isLooping && place === 2 ? 'crash_loop' : place === 1 && index === 2 ? 'backoff' : 'running'
      const nth = world.processes.length
      const process: Process = {
        id: uuid(6, nth),
        job_id: job.id,
        agent_id: agent.id,
        index,
        job_version: 2,
        pid: state === 'running' ? 3_100 + nth : undefined,
        started_at: iso(world.now - 3_600_000 * (nth + 1)),
        ended_at: state === 'running' ? undefined : iso(world.now - 40_000),
        exit_code: state === 'running' ? undefined : 1,
        reason: state === 'running' ? undefined : 'exited',
        oom_kills: 0,
      }
      world.processes.push(process)
      world.outputs.set(process.id, sampleOutput(world.now - 3_600_000, nth))
      job.slots_wanted += 1
      if (state === 'running') job.slots_running += 1
      if (state === 'crash_loop') job.slots_crash_loop += 1
      world.slots.push({
        job_id: job.id,
        job_name: job.spec.name,
        group_id: job.group_id,
        agent_id: agent.id,
        agent_name: agent.name,
        is_agent_online: agent.is_online,
        index,
        state,
        since: iso(world.now - 3_000_000),
        job_version: 2,
        process_id: process.id,
        pid: process.pid,
        started_at: state === 'running' ? process.started_at : undefined,
        restarts: state === 'crash_loop' ? 61 : state === 'backoff' ? 2 : 0,
        retry_at: state === 'running' ? undefined : iso(world.now + 22_000),
        ...outlook(world, job.spec.name, state, place, index),
        last_end: state === 'running' ? undefined : 'exit 1',
        last_output:
          state === 'running'
            ? undefined
            : 'mail: connecting to smtp.example.org:587\nmail: 535 5.7.8 authentication failed\nmail: giving up\n',
      })
    }
  })
}
