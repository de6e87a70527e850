import { Button } from '@mantine/core'
import { IconPlayerStop, IconRepeat } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { jobQuery, versionsQuery } from '../../api/jobs'
import { runQuery } from '../../api/runs'
import type { Run } from '../../api/types'
import { OutputView } from '../../features/output/OutputView'
import { CleanupText } from '../../features/run/CleanupText'
import { Journey } from '../../features/run/Journey'
import { RunMark } from '../../features/run/RunMark'
import { isAlive, runStatus, statusTone } from '../../features/run/status'
import { useRunActions } from '../../features/run/useRunActions'
import { causeText, runSentence } from '../../features/run/words'
import { bytes } from '../../lib/bytes'
import { allows } from '../../lib/roles'
import { duration } from '../../lib/time'
import { Copy } from '../../ui/Copy'
import { Facts } from '../../ui/Facts'
import { Label } from '../../ui/Mark'
import { Page } from '../../ui/Page'
import { Failure, Loading } from '../../ui/States'
import { At, Since } from '../../ui/Time'
import classes from './RunPage.module.css'

const route = getRouteApi('/shell/runs/$runId')

/** What did this one do? */
export function RunPage() {
  const { t, i18n } = useTranslation()
  const { runId } = route.useParams()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const run = useQuery(runQuery(runId))
  const jobId = run.data?.job_id ?? ''
  const job = useQuery({ ...jobQuery(jobId), enabled: jobId !== '' }).data
  const versions = useQuery({ ...versionsQuery(jobId), enabled: jobId !== '' }).data
  if (run.error && !run.data) {
    return (
      <Page title={t('runs.one')} parent={<RunsLink />}>
        <Failure error={run.error} retry={() => void run.refetch()} />
      </Page>
    )
  }
  if (!run.data) {
    return (
      <Page title={t('runs.one')} parent={<RunsLink />}>
        <Loading />
      </Page>
    )
  }
  const it = run.data
  const spec = versions?.items.find((version) => version.version === it.job_version)?.spec ?? job?.spec
  const canOperate = job !== undefined && allows(job.my_role, 'operator')
  const status = runStatus(it)
  return (
    <Page
      isFilled
      parent={<RunsLink />}
      title={
        <Link to="/jobs/$jobId" params={{ jobId: it.job_id }} search={{}}>
          {it.job_name}
        </Link>
      }
      documentTitle={`${it.job_name} · ${t(`status.${status}`)}`}
      state={<RunMark run={it} isSoft />}
      actions={canOperate && <Actions run={it} isScheduled={job.kind === 'scheduled'} />}
    >
      <div className={classes.scroll}>
        <div className={classes.head}>
          <p className={classes.answer} style={{ borderColor: `var(--${statusTone[status]}-fill)` }}>
            {runSentence(it, t, i18n.language)}
            {it.detail && <code className={classes.detail}>{it.detail}</code>}
            {it.state === 'running' && it.started_at && (
              <span className="dim">
                {' '}
                <Since at={it.started_at} />
              </span>
            )}
          </p>
          {it.unreachable_since && isAlive(it) && (
            <p className={classes.unreachable}>
              {t('runs.unreachable')} <At at={it.unreachable_since} />
            </p>
          )}
          <Journey run={it} zone={spec?.scheduled?.time_zone} />
          <RunFacts run={it} />
          <Attempts run={it} />
        </div>
        <OutputView
          id={it.started_at || it.output_bytes > 0 ? it.id : undefined}
          isEnded={!isAlive(it)}
          size={it.output_bytes}
          dropped={it.output_dropped_bytes + it.output_trimmed_bytes}
          isDiscarded={spec?.output?.mode === 'discard'}
          search={search}
          onSearch={(change) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })}
        />
      </div>
    </Page>
  )
}

/** Kill while it lives, run again when it is over. */
function Actions({ run, isScheduled }: { run: Run; isScheduled: boolean }) {
  const { t } = useTranslation()
  const actions = useRunActions(run)
  if (isAlive(run)) {
    return (
      <Button
        color="red"
        variant="light"
        leftSection={<IconPlayerStop size={14} />}
        onClick={actions.kill}
        disabled={run.is_kill_requested}
      >
        {run.is_kill_requested ? t('runs.kill.requested') : t('runs.kill.action')}
      </Button>
    )
  }
  if (!isScheduled) return null
  return (
    <Button variant="default" leftSection={<IconRepeat size={14} />} onClick={() => void actions.runAgain()}>
      {t('runs.again')}
    </Button>
  )
}

function RunsLink() {
  const { t } = useTranslation()
  return (
    <Link to="/runs" search={{}}>
      {t('nav.runs')}
    </Link>
  )
}

function RunFacts({ run }: { run: Run }) {
  const { t, i18n } = useTranslation()
  const ms = (micros: number | null | undefined) =>
    micros == null ? undefined : duration(micros / 1_000, i18n.language)
  return (
    <div className={classes.facts}>
      <Facts
        columns={3}
        items={[
          [
            t('runs.agent'),
            <Link key="agent" to="/agents/$agentId" params={{ agentId: run.agent_id }}>
              {run.agent_name}
            </Link>,
          ],
          [t('runs.duration'), ms(run.duration_us)],
          [t('runs.exitStatus'), run.signal ? `SIG${run.signal.replace(/^SIG/, '')}` : run.exit_code],
          [t('runs.cause'), requestedText(run, causeText(run, t))],
          [
            t('runs.cpu'),
            run.user_time_us != null && `${ms(run.user_time_us)} + ${ms(run.system_time_us ?? 0)}`,
          ],
          [t('runs.memory'), run.memory_peak_bytes != null && bytes(run.memory_peak_bytes, i18n.language)],
          [t('runs.pid'), run.pid],
          [
            t('runs.version'),
            <Link key="version" to="/jobs/$jobId" params={{ jobId: run.job_id }} search={{ tab: 'versions' }}>
              <Label>v{run.job_version}</Label>
            </Link>,
          ],
          [t('runs.copy'), run.copies > 1 && t('runs.copyOf', { copy: run.copy, copies: run.copies })],
          [
            t('runs.window'),
            <span key="window">
              <At at={run.not_before} /> – <At at={run.not_after} />
            </span>,
          ],
          [t('runs.killedBy'), run.killed_by],
          [t('runs.oomKills'), run.oom_kills > 0 && run.oom_kills],
          [t('cleanup.title'), run.cleanup && <CleanupText key="cleanup" cleanup={run.cleanup} />],
          [
            t('runs.id'),
            <span key="id" className={classes.id}>
              <code className="clip">{run.id}</code>
              <Copy text={run.id} what={t('common.copy')} />
            </span>,
          ],
        ]}
      />
    </div>
  )
}

function requestedText(run: Run, cause: string): string {
  return run.requested_by ? `${cause} (${run.requested_by})` : cause
}

/** The other attempts of the same due instant, and the agents it was offered to. */
function Attempts({ run }: { run: Run }) {
  const { t } = useTranslation()
  if (run.attempts.length === 0) return null
  return (
    <p className={classes.attempts}>
      <span className="dim">{t('runs.attempts', { attempt: run.attempt })}</span>
      {run.attempts.map((id) => (
        <AttemptLink key={id} id={id} agentId={run.agent_id} />
      ))}
    </p>
  )
}

function AttemptLink({ id, agentId }: { id: string; agentId: string }) {
  const { t } = useTranslation()
  const run = useQuery(runQuery(id)).data
  const text = (run: Run) =>
    run.agent_id === agentId
      ? t('runs.attemptShort', { attempt: run.attempt })
      : t('runs.attemptOn', { attempt: run.attempt, agent: run.agent_name })
  return (
    <Link to="/runs/$runId" params={{ runId: id }} search={{}} className={classes.attempt}>
      {run ? text(run) : id.slice(0, 8)}
      {run && <RunMark run={run} />}
    </Link>
  )
}
