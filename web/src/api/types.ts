/** The shapes of the REST interface by the names that the console uses. */

type Maybe<T> = T | null

export type Role = 'viewer' | 'operator' | 'editor' | 'owner'
export type JobKind = 'scheduled' | 'daemon'
export type Overlap = 'forbid' | 'allow'
export type Restart = 'always' | 'on_failure'
export type OutputMode = 'store' | 'discard'
export type RunState = 'planned' | 'dispatched' | 'accepted' | 'running' | 'ended'
export type Outcome = 'succeeded' | 'failed' | 'killed' | 'timed_out' | 'skipped' | 'missed' | 'lost'
export type Cause = 'schedule' | 'manual' | 'retry' | 'reboot'
export type SlotState = 'waiting' | 'starting' | 'running' | 'backoff' | 'crash_loop' | 'stopping' | 'stopped'
export type AgentState = 'pending' | 'active' | 'revoked'
export type OutputStream = 'stdout' | 'stderr' | 'gap'

export interface Page<T> {
  items: T[]
  next_cursor?: Maybe<string>
}

export interface User {
  id: string
  login: string
  display_name: string
  is_admin: boolean
  is_disabled: boolean
  created_at: string
  last_sign_in_at?: Maybe<string>
}
export interface GroupRole {
  group_id: string
  group_name: string
  role: Role
}
export interface Me {
  user: User
  roles: GroupRole[]
  token?: Maybe<string>
}
export interface SetupState {
  is_needed: boolean
}
export interface SetupRequest {
  code: string
  login: string
  password: string
  display_name?: Maybe<string>
}
export interface UserCreate {
  login: string
  password: string
  display_name?: Maybe<string>
  is_admin?: boolean
}
export interface UserUpdate {
  display_name?: Maybe<string>
  is_admin?: Maybe<boolean>
  is_disabled?: Maybe<boolean>
  password?: Maybe<string>
}
export interface About {
  version: string
  tzdb_version: string
  engine: string
  now: string
  default_time_zone: string
  agent_address: string
  ca_sha256: string
}
export interface Member {
  user_id: string
  login: string
  display_name: string
  role: Role
}
export interface Candidate {
  user_id: string
  login: string
  display_name: string
}
export interface Group {
  id: string
  name: string
  description: string
  run_as: string[]
  agent_ids: string[]
  job_count: number
  members: Member[]
  my_role: Role
  created_at: string
}
export interface GroupCreate {
  name: string
  description?: string
  run_as?: string[]
  agent_ids?: string[]
}
export interface GroupUpdate {
  name?: Maybe<string>
  description?: Maybe<string>
  run_as?: Maybe<string[]>
  agent_ids?: Maybe<string[]>
}
export interface Agent {
  id: string
  name: string
  state: AgentState
  is_online: boolean
  group_ids: string[]
  hostname: string
  os: string
  arch: string
  version: string
  is_root: boolean
  cpu_count: number
  load_1m: number
  memory_total_bytes: number
  memory_available_bytes: number
  running_count: number
  clock_offset_us?: Maybe<number>
  round_trip_us?: Maybe<number>
  key_fingerprint: string
  joined_at: string
  last_seen_at?: Maybe<string>
  slots_wanted: number
  slots_running: number
}
export interface AgentUpdate {
  name?: Maybe<string>
  group_ids?: Maybe<string[]>
}
export interface JoinTokenCreate {
  group_ids?: string[]
  is_preapproved?: boolean
  ttl_seconds?: Maybe<number>
  uses_max?: Maybe<number>
}
export interface JoinToken {
  token: string
  command: string
  expires_at: string
}
export interface Script {
  interpreter?: Maybe<string[]>
  text: string
}
export interface Command {
  argv?: Maybe<string[]>
  script?: Maybe<Script>
}
export interface RetryPolicy {
  attempts_max?: number
  backoff_initial_ms?: number
  backoff_max_ms?: number
}
export interface ScheduledSpec {
  expression: string
  time_zone?: Maybe<string>
  overlap?: Overlap
  start_deadline_ms?: Maybe<number>
  timeout_ms?: Maybe<number>
  retry?: RetryPolicy
}
export interface DaemonSpec {
  restart?: Restart
  start_period_ms?: number
  backoff_initial_ms?: number
  backoff_max_ms?: number
  crash_loop_failures?: number
  crash_loop_window_ms?: number
}
export interface Target {
  all?: boolean
  agent_ids?: string[]
}
export interface OutputPolicy {
  mode?: OutputMode
  cap_bytes?: number
}
export interface StopPolicy {
  signal?: string
  grace_ms?: number
}
export interface JobSpec {
  name: string
  description?: string
  scheduled?: Maybe<ScheduledSpec>
  daemon?: Maybe<DaemonSpec>
  command: Command
  run_as: string
  directory?: Maybe<string>
  environment?: Record<string, string>
  umask?: Maybe<string>
  target: Target
  processes?: number
  output?: OutputPolicy
  stop?: StopPolicy
}
export interface JobCreate {
  group_id: string
  spec: JobSpec
  is_paused?: boolean
}
export interface RecentRun {
  id: string
  due: string
  outcome?: Maybe<Outcome>
  duration_ms?: Maybe<number>
}
export interface Job {
  id: string
  group_id: string
  group_name: string
  kind: JobKind
  version: number
  spec: JobSpec
  is_paused: boolean
  sentence_en?: Maybe<string>
  sentence_zh?: Maybe<string>
  next_due?: Maybe<string>
  recent: RecentRun[]
  slots_wanted: number
  slots_running: number
  slots_crash_loop: number
  updated_by: string
  created_at: string
  updated_at: string
  my_role: Role
}
export interface JobVersion {
  version: number
  spec: JobSpec
  author: string
  created_at: string
}
export interface RunNowAnswer {
  run_ids: string[]
}
export interface Lapse {
  job_id: string
  job_name: string
  due_from: string
  due_to: string
  count: number
  reason: string
  recorded_at: string
}
export interface Run {
  id: string
  job_id: string
  job_name: string
  job_version: number
  group_id: string
  agent_id: string
  agent_name: string
  copy: number
  copies: number
  attempt: number
  cause: Cause
  requested_by?: Maybe<string>
  state: RunState
  outcome?: Maybe<Outcome>
  reason?: Maybe<string>
  detail?: Maybe<string>
  due: string
  not_before: string
  not_after: string
  planned_at: string
  dispatched_at?: Maybe<string>
  accepted_at?: Maybe<string>
  started_at?: Maybe<string>
  ended_at?: Maybe<string>
  lag_us?: Maybe<number>
  duration_us?: Maybe<number>
  pid?: Maybe<number>
  exit_code?: Maybe<number>
  signal?: Maybe<string>
  user_time_us?: Maybe<number>
  system_time_us?: Maybe<number>
  memory_peak_bytes?: Maybe<number>
  output_bytes: number
  output_dropped_bytes: number
  unreachable_since?: Maybe<string>
  is_kill_requested: boolean
  killed_by?: Maybe<string>
  attempts: string[]
}
export interface Slot {
  job_id: string
  job_name: string
  group_id: string
  agent_id: string
  agent_name: string
  is_agent_online: boolean
  index: number
  state: SlotState
  since?: Maybe<string>
  job_version?: Maybe<number>
  process_id?: Maybe<string>
  pid?: Maybe<number>
  started_at?: Maybe<string>
  restarts: number
  retry_at?: Maybe<string>
  last_end?: Maybe<string>
  last_output?: Maybe<string>
}
export interface Process {
  id: string
  job_id: string
  agent_id: string
  index: number
  job_version: number
  pid?: Maybe<number>
  started_at?: Maybe<string>
  ended_at?: Maybe<string>
  exit_code?: Maybe<number>
  signal?: Maybe<string>
  reason?: Maybe<string>
  detail?: Maybe<string>
}
export interface SlotRestart {
  job_id: string
  agent_id?: Maybe<string>
  index?: Maybe<number>
}
export interface DueInstant {
  due: string
  local: string
  dst?: Maybe<'gap' | 'overlap'>
}
export interface ScheduleWarning {
  code: string
  message_en: string
  message_zh: string
}
export interface Preview {
  canonical: string
  sentence_en: string
  sentence_zh: string
  next: DueInstant[]
  warnings: ScheduleWarning[]
}
export interface OutputChunk {
  offset: number
  at: string
  stream: OutputStream
  text: string
  dropped_bytes?: Maybe<number>
}
export interface OutputPiece {
  chunks: OutputChunk[]
  next_from: number
  is_complete: boolean
}
export type Event =
  | { kind: 'job'; id: string; group_id: string }
  | {
      kind: 'run'
      id: string
      job_id: string
      group_id: string
      agent_id: string
      state: RunState
      outcome?: Maybe<Outcome>
    }
  | { kind: 'slot'; job_id: string; group_id: string; agent_id: string; index: number; state: SlotState }
  | { kind: 'agent'; id: string; is_online: boolean }
  | { kind: 'group'; id: string }
  | { kind: 'resync' }
