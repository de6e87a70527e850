import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type ForecastFilter, forecastQuery } from '../../api/forecast'
import type { Forecast } from '../../api/types'
import { Section } from '../../ui/Page'
import { At } from '../../ui/Time'
import { LoadChart } from './LoadChart'

/** Most jobs that are named as the makers of a peak. */
const NAMED = 3

/** The load of the next 24 hours: a chart, its peak and who makes it, and what would be better spread. Nothing if nothing is due. */
export function LoadAhead({ filter }: { filter: ForecastFilter }) {
  const { t } = useTranslation()
  const { data } = useQuery(forecastQuery(filter))
  if (!data || data.total.starts === 0) return null
  const { total, suggestions } = data
  return (
    <Section
      title={t('forecast.title')}
      aside={<span className="dim">{t('forecast.starts', { count: total.starts })}</span>}
    >
      <LoadChart forecast={data} />
      <PeakLine forecast={data} />
      {total.alive_peak && (
        <p className="dim">
          {t('forecast.alive', { count: total.alive_peak.count })} · <At at={total.alive_peak.at} />
        </p>
      )}
      {suggestions[0] && (
        <p>
          {t('forecast.spread', {
            count: suggestions[0].job_count,
            expression: suggestions[0].expression,
            suggested: suggestions[0].suggested,
            before: suggestions[0].peak_before,
            after: suggestions[0].peak_after,
          })}
        </p>
      )}
      {data.approximate_job_count > 0 && <p className="faint">{t('forecast.approximate')}</p>}
      {!data.is_everything && <p className="faint">{t('forecast.onlyMine')}</p>}
    </Section>
  )
}

/** `At most 12 starts in one second · 02:00:00 · backup, report and 10 more`. */
function PeakLine({ forecast }: { forecast: Forecast }) {
  const { t } = useTranslation()
  const { peak, peak_jobs, peak_job_count } = forecast.total
  if (!peak) return null
  const named = peak_jobs.slice(0, NAMED)
  const rest = peak_job_count - named.length
  return (
    <p>
      {t('forecast.peak', { count: peak.count })} · <At at={peak.at} /> ·{' '}
      {named.map((job, nth) => (
        <span key={job.job_id}>
          {nth > 0 && ', '}
          <Link to="/jobs/$jobId" params={{ jobId: job.job_id }} search={{}}>
            {job.job_name}
          </Link>
        </span>
      ))}
      {rest > 0 && ` ${t('forecast.more', { count: rest })}`}
    </p>
  )
}
