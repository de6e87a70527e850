import { ActionIcon, Button, Menu, Tabs } from '@mantine/core'
import {
  IconCopy,
  IconDots,
  IconPencil,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerTrackNext,
  IconSnowflake,
  IconTrash,
  IconZzz,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { jobQuery } from '../../api/jobs'
import type { Job } from '../../api/types'
import { DaemonHealth, HeldMark, KindIcon, PausedMark } from '../../features/job/JobMark'
import { SnoozeDialog } from '../../features/job/SnoozeDialog'
import { useJobActions } from '../../features/job/useJobActions'
import { RunTable } from '../../features/run/RunTable'
import { WindowDialog } from '../../features/window/WindowDialog'
import { allows } from '../../lib/roles'
import { Label } from '../../ui/Mark'
import { Page } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { HoldNotice } from './HoldNotice'
import classes from './JobPage.module.css'
import { JobSlots } from './JobSlots'
import { JobSummary } from './JobSummary'
import { Lapses } from './Lapses'
import { Versions } from './Versions'
import { Why } from './Why'

const route = getRouteApi('/shell/jobs/$jobId')

/** Tell me all about this one. */
export function JobPage() {
  const { t } = useTranslation()
  const { jobId } = route.useParams()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const query = useQuery(jobQuery(jobId))
  const job = query.data
  const parent = (
    <Link to="/jobs" search={{}}>
      {t('nav.jobs')}
    </Link>
  )
  if (!job) {
    return (
      <Page title={t('jobs.one')} parent={parent}>
        {query.error ? <Failure error={query.error} retry={() => void query.refetch()} /> : <Loading />}
      </Page>
    )
  }
  const tabs =
    job.kind === 'daemon'
      ? (['slots', 'versions'] as const)
      : (['runs', 'why', 'lapses', 'versions'] as const)
  const tab = tabs.find((each) => each === search.tab) ?? tabs[0]
  return (
    <Page
      isFilled
      parent={parent}
      title={job.spec.name}
      state={
        <>
          <KindIcon kind={job.kind} />
          {job.is_paused && <PausedMark />}
          <HeldMark job={job} />
          {job.kind === 'daemon' && <DaemonHealth job={job} />}
          <Label>v{job.version}</Label>
        </>
      }
      actions={<Actions job={job} />}
    >
      <div className={classes.page}>
        <HoldNotice job={job} />
        <JobSummary job={job} />
        <Tabs
          value={tab}
          onChange={(next) =>
            void navigate({
              search: { tab: next === tabs[0] ? undefined : (next ?? undefined) },
              replace: true,
            })
          }
          classNames={{ root: classes.tabs, panel: classes.panel }}
          keepMounted={false}
        >
          <Tabs.List className={classes.list}>
            {tabs.map((each) => (
              <Tabs.Tab key={each} value={each}>
                {t(`jobs.tab.${each}`)}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value="runs">
            <RunTable
              filter={{ job: job.id, outcome: search.outcome }}
              without={['job']}
              empty={<Empty title={t('runs.emptyTitle')}>{t('runs.emptyJob')}</Empty>}
            />
          </Tabs.Panel>
          <Tabs.Panel value="slots">
            <JobSlots job={job} />
          </Tabs.Panel>
          <Tabs.Panel value="why">
            <Why job={job} />
          </Tabs.Panel>
          <Tabs.Panel value="lapses">
            <Lapses job={job} />
          </Tabs.Panel>
          <Tabs.Panel value="versions">
            <Versions job={job} />
          </Tabs.Panel>
        </Tabs>
      </div>
    </Page>
  )
}

function Actions({ job }: { job: Job }) {
  const { t } = useTranslation()
  const actions = useJobActions()
  const [isSnoozing, setSnoozing] = useState(false)
  const [isFreezing, setFreezing] = useState(false)
  const canEdit = allows(job.my_role, 'editor')
  const canOperate = allows(job.my_role, 'operator')
  if (!canOperate) return null
  return (
    <>
      {job.kind === 'scheduled' && (
        <Button leftSection={<IconPlayerTrackNext size={14} />} onClick={() => void actions.runNow(job)}>
          {t('jobs.runNow')}
        </Button>
      )}
      <Button
        variant="default"
        leftSection={job.is_paused ? <IconPlayerPlay size={14} /> : <IconPlayerPause size={14} />}
        onClick={() => void actions.setPaused(job, !job.is_paused)}
      >
        {t(job.is_paused ? 'jobs.resume' : 'jobs.pause')}
      </Button>
      {(canEdit || job.kind === 'scheduled') && (
        <Menu position="bottom-end" width={180}>
          <Menu.Target>
            <ActionIcon aria-label={t('common.more')} variant="default" size={30}>
              <IconDots size={15} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {job.kind === 'scheduled' && (
              <Menu.Item leftSection={<IconZzz size={15} />} onClick={() => setSnoozing(true)}>
                {t('snooze.ask')}
              </Menu.Item>
            )}
            {canEdit && job.kind === 'scheduled' && (
              <Menu.Item leftSection={<IconSnowflake size={15} />} onClick={() => setFreezing(true)}>
                {t('windows.new')}
              </Menu.Item>
            )}
            {canEdit && (
              <>
                <Menu.Item
                  leftSection={<IconPencil size={15} />}
                  renderRoot={(props) => (
                    <Link to="/jobs/$jobId/edit" params={{ jobId: job.id }} {...props} />
                  )}
                >
                  {t('common.edit')}
                </Menu.Item>
                <Menu.Item
                  leftSection={<IconCopy size={15} />}
                  renderRoot={(props) => <Link to="/jobs/new" search={{ from: job.id }} {...props} />}
                >
                  {t('jobs.duplicate')}
                </Menu.Item>
              </>
            )}
            {allows(job.my_role, 'owner') && (
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={15} />}
                onClick={() => actions.remove(job)}
              >
                {t('common.delete')}
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      )}
      {isSnoozing && <SnoozeDialog job={job} onClose={() => setSnoozing(false)} />}
      {isFreezing && <WindowDialog job={job} onClose={() => setFreezing(false)} />}
    </>
  )
}
