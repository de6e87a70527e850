import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { lapsesQuery } from '../../api/jobs'
import type { Job } from '../../api/types'
import { reasonText } from '../../features/run/words'
import { Empty, Failure, Loading } from '../../ui/States'
import { At, AtAndAgo } from '../../ui/Time'
import classes from './JobPage.module.css'

/** Ranges of due instants that became no runs, and why. */
export function Lapses({ job }: { job: Job }) {
  const { t } = useTranslation()
  const query = useQuery(lapsesQuery(job.id))
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />
  if (!query.data) return <Loading />
  if (query.data.items.length === 0)
    return <Empty title={t('lapses.emptyTitle')}>{t('lapses.emptyText')}</Empty>
  const zone = job.spec.scheduled?.time_zone
  return (
    <div className={classes.pad}>
      <table className={classes.plain}>
        <thead>
          <tr>
            <th>{t('lapses.range')}</th>
            <th>{t('lapses.count')}</th>
            <th>{t('lapses.why')}</th>
            <th>{t('lapses.recorded')}</th>
          </tr>
        </thead>
        <tbody>
          {query.data.items.map((lapse) => (
            <tr key={lapse.due_from}>
              <td>
                <At at={lapse.due_from} zone={zone} />
                {lapse.due_to !== lapse.due_from && (
                  <>
                    {' – '}
                    <At at={lapse.due_to} zone={zone} />
                  </>
                )}
              </td>
              <td>{lapse.count}</td>
              <td>{reasonText(lapse.reason)}</td>
              <td className="dim">
                <AtAndAgo at={lapse.recorded_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
