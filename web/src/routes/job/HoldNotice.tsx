import { Button } from '@mantine/core'
import { IconSnowflake, IconZzz } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Job } from '../../api/types'
import { useJobActions } from '../../features/job/useJobActions'
import { allows } from '../../lib/roles'
import { dateTime } from '../../lib/time'
import classes from './JobPage.module.css'

/** Why nothing of the job starts now, until when, and how to end that. */
export function HoldNotice({ job }: { job: Job }) {
  const { t, i18n } = useTranslation()
  const { wake } = useJobActions()
  if (job.snooze) {
    const until = dateTime(job.snooze.until, i18n.language)
    return (
      <div role="status" className={classes.notice}>
        <IconZzz size={16} aria-hidden />
        <span>{t('snooze.by', { user: job.snooze.by, until })}</span>
        {allows(job.my_role, 'operator') && (
          <Button variant="default" size="compact-xs" onClick={() => void wake(job)}>
            {t('snooze.wake')}
          </Button>
        )}
      </div>
    )
  }
  if (!job.frozen) return null
  const until = dateTime(job.frozen.until, i18n.language)
  return (
    <div role="status" className={classes.notice}>
      <IconSnowflake size={16} aria-hidden />
      <span>{t('windows.frozenText', { until, reason: job.frozen.reason })}</span>
      <Link to="/windows" search={{}}>
        {t('windows.show')}
      </Link>
    </div>
  )
}
