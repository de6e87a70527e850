import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { forecastChangeQuery } from '../../api/forecast'
import type { ForecastChange, ForecastChangeRequest } from '../../api/types'
import { duration } from '../../lib/time'
import { At } from '../../ui/Time'
import { type Draft, specOf } from '../job/draft'
import classes from './forecast.module.css'

/** How long nothing is typed before the center is asked, in ms: an answer takes it a while. */
const PAUSE = 600

interface ChangeLinesProps {
  draft: Draft
  jobId: string | undefined
  /** The schedule is one that can be read. */
  isOn: boolean
  titleClass: string | undefined
}

/** What saving the job would add to the load of its agents. Nothing, as long as the definition could not be saved. */
export function ChangeLines({ draft, jobId, isOn, titleClass }: ChangeLinesProps) {
  const { t } = useTranslation()
  const [request] = useDebouncedValue(JSON.stringify(requestOf(draft, jobId)), PAUSE)
  const query = useQuery({
    ...forecastChangeQuery(JSON.parse(request) as ForecastChangeRequest),
    enabled: isOn && draft.runAs !== '',
    placeholderData: keepPreviousData,
  })
  if (!query.data || query.error) return null
  return (
    <section aria-label={t('forecast.title')} className={query.isPlaceholderData ? classes.stale : undefined}>
      <h2 className={titleClass}>{t('forecast.title')}</h2>
      <Busiest change={query.data} />
      <Lasting change={query.data} />
      {!query.data.is_everything && <p className="faint">{t('forecast.onlyMine')}</p>}
    </section>
  )
}

/** `Starts in one second on web-01, the busiest of 3 agents: 12 → 13, 02:00:00`. */
function Busiest({ change }: { change: ForecastChange }) {
  const { t } = useTranslation()
  const busiest = change.agents[0]
  if (!busiest) return <p className="dim">{t('forecast.nothing')}</p>
  const key = change.agent_count > 1 ? 'forecast.busiestOf' : 'forecast.busiest'
  return (
    <p>
      {t(key, { agent: busiest.agent_name, count: change.agent_count })}{' '}
      <span className={classes.figures}>
        {busiest.before?.count ?? 0} → {busiest.after?.count ?? 0}
      </span>
      {busiest.after && (
        <span className="dim">
          {' · '}
          <At at={busiest.after.at} />
        </span>
      )}
    </p>
  )
}

/** How long runs last, and what comes of it where that is too long. */
function Lasting({ change }: { change: ForecastChange }) {
  const { t, i18n } = useTranslation()
  const { overlap, durations } = change
  if (overlap) {
    const lasting = duration(overlap.lasting_ms, i18n.language)
    return (
      <p className={classes.warning}>
        {t(`forecast.${overlap.effect}`, { lasting, count: overlap.count, all: overlap.due_count })}
      </p>
    )
  }
  if (!durations) return <p className="dim">{t('forecast.unknown')}</p>
  return <p className="dim">{t('forecast.lasts', { lasting: duration(durations.p90_ms, i18n.language) })}</p>
}

/** The definition without what has no part in the load: so that typing there asks nothing, and nothing there can be wrong yet. */
function requestOf(draft: Draft, jobId: string | undefined): ForecastChangeRequest {
  const spec = {
    ...specOf(draft),
    name: 'forecast',
    description: '',
    command: { argv: ['/bin/true'] },
    directory: undefined,
    environment: {},
    secrets: [],
  }
  return jobId ? { job_id: jobId, spec } : { group_id: draft.groupId, spec }
}
