import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { slotsQuery } from '../../api/slots'
import type { Job } from '../../api/types'
import { SlotGrid } from '../../features/slot/SlotGrid'
import { allows } from '../../lib/roles'
import { Empty, Failure, Loading } from '../../ui/States'
import classes from './JobPage.module.css'

/** The processes of a daemon job on all its agents. */
export function JobSlots({ job }: { job: Job }) {
  const { t } = useTranslation()
  const query = useQuery(slotsQuery({ job: job.id }))
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />
  if (!query.data) return <Loading />
  if (query.data.length === 0) return <Empty title={t('daemons.emptyJob')}>{t('daemons.emptyJobText')}</Empty>
  return (
    <div className={classes.pad}>
      <SlotGrid slots={query.data} canOperate={allows(job.my_role, 'operator')} />
    </div>
  )
}
