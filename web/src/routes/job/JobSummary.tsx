import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { previewQuery } from '../../api/schedules'
import { aboutQuery } from '../../api/session'
import type { CatchUp, Job, Preview, RetryPolicy } from '../../api/types'
import { AgentMark } from '../../features/agent/AgentMark'
import { useTargets } from '../../features/agent/useAgents'
import { limitTexts } from '../../features/job/limits'
import { secretText } from '../../features/job/secretText'
import { catchUpDefaults, complete, limitDefaults, retryDefaults } from '../../features/job/spec'
import { sentence } from '../../features/job/words'
import { Strip } from '../../features/run/Strip'
import { ClockChanges } from '../../features/schedule/ClockChanges'
import { calendarText } from '../../features/schedule/calendarText'
import { dstText } from '../../features/schedule/dstText'
import { NextRuns, Warnings } from '../../features/schedule/NextRuns'
import { joinArgv } from '../../lib/argv'
import { bytes } from '../../lib/bytes'
import { formatSpan } from '../../lib/span'
import { dateTime, viewerZone } from '../../lib/time'
import { Code } from '../../ui/Code'
import { Facts } from '../../ui/Facts'
import { AtAndAgo } from '../../ui/Time'
import classes from './JobPage.module.css'

/** What the job is, at a glance: its sentence, its last and its next runs, what it runs, where and as whom. */
export function JobSummary({ job }: { job: Job }) {
  const { t, i18n } = useTranslation()
  const spec = complete(job.spec)
  const defaultZone = useQuery(aboutQuery).data?.default_time_zone
  const zone = spec.scheduled?.time_zone ?? defaultZone ?? viewerZone()
  const preview = useQuery({
    ...previewQuery(
      {
        expression: spec.scheduled?.expression ?? '',
        time_zone: zone,
        dst: spec.scheduled?.dst,
        active_from: spec.scheduled?.active_from,
        active_until: spec.scheduled?.active_until,
        calendar: spec.scheduled?.calendar,
      },
      job.id,
    ),
    enabled: job.kind === 'scheduled',
    staleTime: 0,
  }).data
  return (
    <div className={classes.summary}>
      <div>
        <p className={classes.sentence}>
          {job.kind === 'daemon'
            ? t('editor.daemonSentence', {
                count: spec.processes ?? 1,
                restart: t(`restart.${spec.daemon?.restart ?? 'always'}Sentence`),
              })
            : sentence(job, i18n.language)}
        </p>
        {job.spec.description && <p className={classes.description}>{job.spec.description}</p>}
        {job.kind === 'scheduled' && (
          <div className={classes.strip}>
            <Strip runs={job.recent} zone={zone} isTall />
          </div>
        )}
        <div style={{ marginTop: job.kind === 'daemon' ? 14 : 0 }}>
          <Definition job={job} zone={zone} />
        </div>
      </div>
      {job.kind === 'scheduled' && <Next job={job} zone={zone} preview={preview} />}
    </div>
  )
}

function Next({ job, zone, preview }: { job: Job; zone: string; preview: Preview | undefined }) {
  const { t } = useTranslation()
  return (
    <div>
      <h2 className={classes.asideTitle}>
        {t('schedule.next')} <span className="faint">· {zone}</span>
      </h2>
      {job.is_paused ? (
        <p className="dim">{t('jobs.pausedText')}</p>
      ) : (
        preview && (
          <>
            <Warnings preview={preview} />
            <ClockChanges changes={preview.clock_changes} zone={zone} />
            {preview.next.length === 0 ? (
              <p className="dim">{t('schedule.noneLeft')}</p>
            ) : (
              <NextRuns
                preview={{ ...preview, next: preview.next.slice(0, 8) }}
                zone={zone}
                jitterMs={job.spec.scheduled?.jitter_ms ?? 0}
              />
            )}
          </>
        )
      )}
    </div>
  )
}

function Definition({ job, zone }: { job: Job; zone: string }) {
  const { t, i18n } = useTranslation()
  const spec = complete(job.spec)
  const { command, scheduled, daemon } = spec
  const environment = Object.entries(spec.environment ?? {})
  const retry = { ...retryDefaults, ...scheduled?.retry }
  return (
    <Facts
      items={[
        [
          t('jobs.schedule'),
          scheduled && (
            <>
              <code>{scheduled.expression}</code> <span className="faint">{zone}</span>
            </>
          ),
        ],
        [t('dstPolicy.title'), scheduled && dstText(scheduled.dst, t)],
        [t('field.scheduled_calendar'), scheduled?.calendar && calendarText(scheduled.calendar, t)],
        [
          t('field.scheduled_active_from'),
          scheduled?.active_from && dateTime(scheduled.active_from, i18n.language),
        ],
        [
          t('field.scheduled_active_until'),
          scheduled?.active_until && dateTime(scheduled.active_until, i18n.language),
        ],
        [
          t('editor.command'),
          <Code key="command" className={classes.command}>
            {command.script ? command.script.text : joinArgv(command.argv ?? [])}
          </Code>,
        ],
        [
          t('field.command_script_interpreter'),
          command.script && <code>{joinArgv(command.script.interpreter ?? ['/bin/sh'])}</code>,
        ],
        [t('field.run_as'), <code key="user">{spec.run_as}</code>],
        [t('editor.where'), <Targets key="targets" job={job} />],
        [t('field.processes'), (spec.processes ?? 1) > 1 && spec.processes],
        [
          t('editor.limits'),
          scheduled &&
            [
              t(`overlap.${scheduled.overlap ?? 'forbid'}`),
              scheduled.queue_max && t('overlap.atMost', { count: scheduled.queue_max }),
              scheduled.jitter_ms ? t('jobs.jitter', { time: formatSpan(scheduled.jitter_ms) }) : undefined,
              t('jobs.startWithin', { time: formatSpan(scheduled.start_deadline_ms ?? 0) }),
              catchUpText(scheduled.catch_up, t),
              scheduled.timeout_ms
                ? t('jobs.stopAfter', { time: formatSpan(scheduled.timeout_ms) })
                : undefined,
              retry.attempts_max > 1 && retryText(retry, t),
            ]
              .filter(Boolean)
              .join(' · '),
        ],
        [
          t('editor.keepAlive'),
          daemon &&
            t('editor.daemonBackoff', {
              initial: formatSpan(daemon.backoff_initial_ms ?? 0),
              max: formatSpan(daemon.backoff_max_ms ?? 0),
              failures: daemon.crash_loop_failures,
              window: formatSpan(daemon.crash_loop_window_ms ?? 0),
            }),
        ],
        [t('limits.title'), limitTexts(spec.limits ?? limitDefaults, t, i18n.language).join(' · ')],
        [t('field.stragglers'), spec.stragglers === 'leave' && t('stragglers.leave')],
        [t('field.directory'), spec.directory && <code>{spec.directory}</code>],
        [
          t('field.environment'),
          environment.length > 0 && (
            <code>{environment.map(([name, value]) => `${name}=${value}`).join('  ')}</code>
          ),
        ],
        [
          t('field.secrets'),
          spec.secrets && spec.secrets.length > 0 && <code>{spec.secrets.map(secretText).join('  ')}</code>,
        ],
        [
          t('output.title'),
          spec.output?.mode === 'discard'
            ? t('output.discard')
            : t('output.kept', { bytes: bytes(spec.output?.cap_bytes ?? 0, i18n.language) }),
        ],
        [
          t('filter.group'),
          <Link key="group" to="/groups/$groupId" params={{ groupId: job.group_id }}>
            {job.group_name}
          </Link>,
        ],
        [
          t('jobs.saved'),
          <span key="saved">
            <AtAndAgo at={job.updated_at} />
            {job.updated_by && ` · ${job.updated_by}`}
          </span>,
        ],
      ]}
    />
  )
}

/** How often, and after what, it is tried again. */
function retryText(retry: Required<RetryPolicy>, t: TFunction): string {
  const count = retry.attempts_max
  return retry.failures.length > 0
    ? t('jobs.retriesOn', { count, failures: retry.failures.join(', ') })
    : t('jobs.retries', { count })
}

/** What the job catches up; nothing if nothing. */
function catchUpText(catchUp: CatchUp | undefined, t: TFunction): string | undefined {
  const { policy, max, window_ms } = { ...catchUpDefaults, ...catchUp }
  if (policy === 'none') return undefined
  if (policy === 'latest') return t('catchUp.said.latest')
  return t('catchUp.said.all', { count: max, time: formatSpan(window_ms) })
}

/** The agents that match now, those out of reach first. */
function Targets({ job }: { job: Job }) {
  const { t } = useTranslation()
  const agents = useTargets(job.group_id, job.spec.target)
  if (!agents) return <span className="faint">…</span>
  if (agents.length === 0) return <span style={{ color: 'var(--missed)' }}>{t('editor.noAgents')}</span>
  const sorted = [...agents].sort((a, b) => Number(a.is_online) - Number(b.is_online))
  const { mode, count } = job.spec.target
  return (
    <span style={{ display: 'flex', flexWrap: 'wrap', gap: '0 16px' }}>
      {mode === 'any' && <span className="dim">{t('targetMode.anyOf', { count: count ?? 1 })}</span>}
      {sorted.slice(0, 8).map((agent) => (
        <span key={agent.id} style={{ display: 'inline-flex', gap: 6 }}>
          <Link to="/agents/$agentId" params={{ agentId: agent.id }}>
            {agent.name}
          </Link>
          <AgentMark agent={agent} />
        </span>
      ))}
      {sorted.length > 8 && (
        <span className="dim">{t('editor.moreAgents', { count: sorted.length - 8 })}</span>
      )}
    </span>
  )
}
