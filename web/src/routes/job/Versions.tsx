import { UnstyledButton } from '@mantine/core'
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { versionsQuery } from '../../api/jobs'
import type { Job } from '../../api/types'
import { SpecChanges, specChanges } from '../../features/job/SpecChanges'
import { Label } from '../../ui/Mark'
import { Failure, Loading } from '../../ui/States'
import { AtAndAgo } from '../../ui/Time'
import classes from './JobPage.module.css'

const route = getRouteApi('/shell/jobs/$jobId')

/** Every save, newest first, with what it changed. */
export function Versions({ job }: { job: Job }) {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const query = useQuery(versionsQuery(job.id))
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />
  if (!query.data) return <Loading />
  const versions = query.data.items
  return (
    <div className={classes.pad}>
      <ol className={classes.versions}>
        {versions.map((version, nth) => {
          const before = versions[nth + 1]
          const isOther = before?.calendar_version !== version.calendar_version
          const isOpen = search.version === String(version.version)
          const count = before ? specChanges(before.spec, version.spec).length : 0
          return (
            <li key={version.version}>
              <UnstyledButton
                className={classes.version}
                aria-expanded={isOpen}
                onClick={() =>
                  void navigate({
                    search: (old) => ({ ...old, version: isOpen ? undefined : String(version.version) }),
                    replace: true,
                  })
                }
              >
                {isOpen ? <IconChevronDown size={14} /> : <IconChevronRight size={14} />}
                <Label>v{version.version}</Label>
                <span>{version.author}</span>
                <span className="dim">
                  <AtAndAgo at={version.created_at} />
                </span>
                <span className="faint">
                  {before ? t('editor.changed', { count }) : t('jobs.firstVersion')}
                </span>
                {before && version.calendar_version && isOther && (
                  <span className="faint">
                    {t('jobs.calendarVersion', { version: version.calendar_version })}
                  </span>
                )}
              </UnstyledButton>
              {isOpen && (
                <div className={classes.changes}>
                  {before ? (
                    <SpecChanges before={before.spec} after={version.spec} />
                  ) : (
                    <p className="dim">{t('jobs.firstVersion')}</p>
                  )}
                </div>
              )}
            </li>
          )
        })}
      </ol>
    </div>
  )
}
