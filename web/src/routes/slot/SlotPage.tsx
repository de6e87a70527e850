import { Button } from '@mantine/core'
import { IconReload } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { jobQuery } from '../../api/jobs'
import { processesQuery, slotsQuery } from '../../api/slots'
import type { Process } from '../../api/types'
import { OutputView } from '../../features/output/OutputView'
import { CleanupText } from '../../features/run/CleanupText'
import { reasonText } from '../../features/run/words'
import { SlotMark } from '../../features/slot/SlotMark'
import { useRestart } from '../../features/slot/useRestart'
import { endWords, probeWords } from '../../features/slot/words'
import { allows } from '../../lib/roles'
import { duration } from '../../lib/time'
import { Facts } from '../../ui/Facts'
import { Label } from '../../ui/Mark'
import { Page } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { Ago, At, AtAndAgo, Since } from '../../ui/Time'
import classes from './SlotPage.module.css'

const route = getRouteApi('/shell/daemons/$jobId/$agentId/$index')

/** One slot of a daemon job: its process now, those before it, and what they wrote. */
export function SlotPage() {
  const { t } = useTranslation()
  const { jobId, agentId, index } = route.useParams()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const restart = useRestart()
  const slots = useQuery(slotsQuery({ job: jobId, agent: agentId }))
  const processes = useQuery(processesQuery(jobId, agentId, Number(index)))
  const job = useQuery(jobQuery(jobId)).data
  const slot = slots.data?.find((each) => each.index === Number(index))
  const parent = (
    <Link to="/daemons" search={{}}>
      {t('nav.daemons')}
    </Link>
  )
  const error = slots.error ?? processes.error
  if (error || !slots.data || !processes.data) {
    return (
      <Page title={t('daemons.one')} parent={parent}>
        {error ? <Failure error={error} /> : <Loading />}
      </Page>
    )
  }
  const list = processes.data.items
  const chosen = list.find((process) => process.id === search.process) ?? list[0]
  const name = slot?.job_name ?? job?.spec.name ?? t('daemons.one')
  return (
    <Page
      isFilled
      parent={parent}
      documentTitle={`${name} #${index}`}
      title={
        <>
          <Link to="/jobs/$jobId" params={{ jobId }} search={{}}>
            {name}
          </Link>{' '}
          <span className="faint">#{index}</span>
        </>
      }
      state={slot && <SlotMark state={slot.state} isSoft />}
      actions={
        slot &&
        job &&
        allows(job.my_role, 'operator') && (
          <Button variant="default" leftSection={<IconReload size={14} />} onClick={() => restart([slot])}>
            {t('daemons.restart.action')}
          </Button>
        )
      }
    >
      <div className={classes.scroll}>
        {slot && (
          <div className={classes.facts}>
            <Facts
              columns={3}
              items={[
                [
                  t('runs.agent'),
                  <Link key="agent" to="/agents/$agentId" params={{ agentId }}>
                    {slot.agent_name}
                  </Link>,
                ],
                [t('runs.pid'), slot.pid],
                [t('daemons.uptime'), slot.pid != null && slot.started_at && <Since at={slot.started_at} />],
                [t('daemons.since'), slot.since && <AtAndAgo at={slot.since} />],
                [t('daemons.restarts'), slot.restarts],
                [t('daemons.lastEnd'), slot.last_end && endWords(slot.last_end, t)],
                [t('daemons.probe'), slot.probe && probeWords(slot.probe, t)],
                [
                  t('daemons.next'),
                  slot.next_step && (
                    <>
                      {t(`next.${slot.next_step}`)} {slot.next_at && <Ago at={slot.next_at} />}
                    </>
                  ),
                ],
                [t('runs.version'), slot.job_version != null && <Label>v{slot.job_version}</Label>],
              ]}
            />
          </div>
        )}
        <div className={classes.columns}>
          <nav className={classes.list} aria-label={t('daemons.processes')}>
            {list.map((process) => (
              <Link
                key={process.id}
                to="."
                search={(old) => ({ ...old, process: process.id })}
                className={classes.process}
                aria-current={process.id === chosen?.id || undefined}
              >
                <ProcessLine process={process} />
              </Link>
            ))}
          </nav>
          {chosen ? (
            <OutputView
              key={chosen.id}
              id={chosen.id}
              isEnded={chosen.ended_at != null}
              size={undefined}
              dropped={0}
              isDiscarded={job?.spec.output?.mode === 'discard'}
              search={search}
              onSearch={(change) =>
                void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
              }
            />
          ) : (
            <Empty title={t('daemons.noProcess')}>{t('daemons.noProcessText')}</Empty>
          )}
        </div>
      </div>
    </Page>
  )
}

function ProcessLine({ process }: { process: Process }) {
  const { t, i18n } = useTranslation()
  const lived =
    process.started_at && process.ended_at
      ? duration(Date.parse(process.ended_at) - Date.parse(process.started_at), i18n.language)
      : undefined
  const isPlainEnd = !process.reason || process.reason === 'exited' || process.reason === 'signalled'
  const end = !isPlainEnd
    ? reasonText(process.reason ?? '')
    : process.signal
      ? `SIG${process.signal.replace(/^SIG/, '')}`
      : process.exit_code != null
        ? t('runs.exit', { code: process.exit_code })
        : undefined
  return (
    <>
      <span className={classes.line}>
        <span>{process.started_at ? <At at={process.started_at} /> : '–'}</span>
        <span className="faint">{process.pid != null && `pid ${process.pid}`}</span>
      </span>
      <span className={`${classes.line} dim`}>
        <span className="clip">{process.ended_at ? end : t('daemons.alive')}</span>
        <span>
          {lived ?? (process.started_at && !process.ended_at ? <Since at={process.started_at} /> : '')}
        </span>
      </span>
      {process.cleanup && (
        <span className="faint">
          <CleanupText cleanup={process.cleanup} />
        </span>
      )}
    </>
  )
}
