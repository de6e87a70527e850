import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { whyQuery } from '../../api/jobs'
import type { Why as Answers, Decider, Job, Run, WhyItem } from '../../api/types'
import { StatusMark } from '../../features/run/RunMark'
import { runStatus } from '../../features/run/status'
import { causeText, endText, reasonText } from '../../features/run/words'
import { Label } from '../../ui/Mark'
import { Empty, Failure, Loading } from '../../ui/States'
import { At, AtAndAgo } from '../../ui/Time'
import { TimeRange } from '../runs/TimeRange'
import classes from './JobPage.module.css'

const route = getRouteApi('/shell/jobs/$jobId')

/** What became of each due time, why, and who decided it. */
export function Why({ job }: { job: Job }) {
  const { t } = useTranslation()
  const { from, to } = route.useSearch()
  const navigate = route.useNavigate()
  const query = useInfiniteQuery(whyQuery(job.id, from, to))
  const choose = (nextFrom: string | undefined, nextTo: string | undefined) =>
    void navigate({ search: (old) => ({ ...old, from: nextFrom, to: nextTo }), replace: true })
  return (
    <div className={classes.pad}>
      <TimeRange from={from} to={to} onChange={choose} emptyMeans={t('time.last.day')} />
      {query.error ? (
        <Failure error={query.error} retry={() => void query.refetch()} />
      ) : !query.data ? (
        <Loading />
      ) : (
        <AnswerTable job={job} pages={query.data.pages} />
      )}
      {query.hasNextPage && (
        <Button
          variant="default"
          mt={12}
          loading={query.isFetchingNextPage}
          onClick={() => void query.fetchNextPage()}
        >
          {t('why.more')}
        </Button>
      )}
    </div>
  )
}

function AnswerTable({ job, pages }: { job: Job; pages: Answers[] }) {
  const { t } = useTranslation()
  const zone = job.spec.scheduled?.time_zone
  const items = pages.flatMap((page) => page.items)
  const requested = pages.flatMap((page) => page.requested)
  if (items.length === 0 && requested.length === 0) return <NothingDue answers={pages[0]} zone={zone} />
  return (
    <table className={classes.plain}>
      <thead>
        <tr>
          <th>{t('runs.due')}</th>
          <th>{t('why.answer')}</th>
          <th>{t('why.reason')}</th>
          <th>{t('why.decided')}</th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => (
          <tr key={`${item.due_from} ${item.run?.id ?? item.answer}`}>
            <td>
              <At at={item.due_from} zone={zone} />
              {item.due_to !== item.due_from && (
                <>
                  {' – '}
                  <At at={item.due_to} zone={zone} />
                </>
              )}
            </td>
            <td>
              {item.run ? <RunAnswer run={item.run} /> : t(`why.said.${item.answer}`, { count: item.count })}
            </td>
            <td className="dim">{whyText(item, t)}</td>
            <td className="dim">
              {item.decider ? <DecidedBy decider={item.decider} /> : <Label>v{item.job_version}</Label>}
            </td>
          </tr>
        ))}
        {requested.map((run) => (
          <tr key={run.id}>
            <td>
              <At at={run.due} zone={zone} />
            </td>
            <td>
              <RunAnswer run={run} />
            </td>
            <td className="dim">{endText(run, t)}</td>
            <td className="dim">
              {causeText(run, t)}
              {run.requested_by && ` · ${run.requested_by}`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function RunAnswer({ run }: { run: Run }) {
  const { t } = useTranslation()
  return (
    <span className={classes.answer}>
      <Link to="/runs/$runId" params={{ runId: run.id }}>
        <StatusMark status={runStatus(run)} />
      </Link>
      <span>{run.agent_name}</span>
      {run.copies > 1 && <span className="dim">#{run.copy}</span>}
      {run.attempt > 1 && <span className="dim">{t('runs.attemptShort', { attempt: run.attempt })}</span>}
      {run.is_caught_up && <span className="dim">{t('cause.caughtUp')}</span>}
    </span>
  )
}

function whyText(item: WhyItem, t: TFunction): string {
  const reason = item.run ? endText(item.run, t) : item.reason ? reasonText(item.reason) : ''
  return item.window ? `${reason}: ${item.window}` : reason
}

function DecidedBy({ decider }: { decider: Decider }) {
  const { t } = useTranslation()
  return (
    <span className={classes.answer}>
      {decider.job_version && <Label>v{decider.job_version}</Label>}
      {decider.epoch !== undefined && decider.epoch !== null && (
        <span>
          {decider.center
            ? t('why.by', { center: decider.center_name ?? decider.center, epoch: decider.epoch })
            : t('why.byUnknown', { epoch: decider.epoch })}
        </span>
      )}
      <AtAndAgo at={decider.decided_at} />
    </span>
  )
}

/** Nothing was due in the chosen time; the due times around it say where to look. */
function NothingDue({ answers, zone }: { answers: Answers | undefined; zone: string | null | undefined }) {
  const { t } = useTranslation()
  return (
    <Empty title={t('why.emptyTitle')}>
      {answers?.due_before && (
        <span>
          {t('why.before')} <At at={answers.due_before} zone={zone} />{' '}
        </span>
      )}
      {answers?.due_after && (
        <span>
          {t('why.after')} <At at={answers.due_after} zone={zone} />
        </span>
      )}
    </Empty>
  )
}
