import { Button } from '@mantine/core'
import { IconCalendarClock, IconFilterOff, IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { agentsQuery } from '../../api/agents'
import { jobsKey, jobsPage } from '../../api/jobs'
import type { Job } from '../../api/types'
import { useAgentOptions } from '../../features/agent/useAgents'
import { useGroupOptions } from '../../features/group/useGroups'
import { BulkBar } from '../../features/job/BulkBar'
import { useChosen } from '../../features/job/selection'
import { canAnywhere, useMe } from '../../features/session/useMe'
import { DataTable } from '../../ui/DataTable'
import { Filter, SearchBox } from '../../ui/Filters'
import { Page, Toolbar } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { useKeyset } from '../../ui/useKeyset'
import { CompactJob, useJobColumns } from './columns'

const route = getRouteApi('/shell/jobs')

/** What do we run? */
export function JobsPage() {
  const { t } = useTranslation()
  const me = useMe()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const groups = useGroupOptions()
  const agents = useAgentOptions()
  const jobs = useKeyset<Job>(
    jobsKey(search),
    (cursor, signal) => jobsPage(search, cursor, signal),
    'visible',
  )
  const chosen = useChosen(search)
  const canChoose = canAnywhere(me, 'operator')
  const columns = useJobColumns(canChoose ? chosen : undefined, jobs.rows)
  const canCreate = canAnywhere(me, 'editor')
  const isFiltered = Object.values(search).some(Boolean)
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true })

  return (
    <Page
      title={t('nav.jobs')}
      isFilled
      actions={
        canCreate && (
          <Button
            leftSection={<IconPlus size={14} />}
            renderRoot={(props) => <Link to="/jobs/new" search={{ group: search.group }} {...props} />}
          >
            {t('jobs.new')}
          </Button>
        )
      }
    >
      <Toolbar>
        <SearchBox
          label={t('jobs.search')}
          value={search.q ?? ''}
          onChange={(q) => set({ q: q || undefined })}
        />
        <Filter
          label={t('filter.group')}
          value={search.group}
          options={groups}
          onChange={(group) => set({ group })}
        />
        <Filter
          label={t('filter.kind')}
          value={search.kind}
          options={[
            { value: 'scheduled', label: t('kind.scheduled') },
            { value: 'daemon', label: t('kind.daemon') },
          ]}
          onChange={(kind) => set({ kind })}
          width={130}
        />
        <Filter
          label={t('filter.state')}
          value={search.paused}
          options={[
            { value: 'false', label: t('jobs.active') },
            { value: 'true', label: t('jobs.paused') },
          ]}
          onChange={(paused) => set({ paused })}
          width={120}
        />
        <Filter
          label={t('filter.agent')}
          value={search.agent}
          options={agents}
          onChange={(agent) => set({ agent })}
        />
        {isFiltered && (
          <Button
            variant="subtle"
            color="gray"
            leftSection={<IconFilterOff size={14} />}
            onClick={() => void navigate({ search: {}, replace: true })}
          >
            {t('filter.clear')}
          </Button>
        )}
      </Toolbar>
      {chosen.selection && (
        <BulkBar
          chosen={chosen}
          selection={chosen.selection}
          loaded={jobs.rows.length}
          hasMore={jobs.hasMore}
        />
      )}
      {jobs.error && jobs.rows.length === 0 ? (
        <Failure error={jobs.error} retry={jobs.retry} />
      ) : jobs.isPending ? (
        <Loading />
      ) : jobs.rows.length === 0 ? (
        isFiltered ? (
          <Empty title={t('jobs.noneFound')}>{t('filter.noneFoundText')}</Empty>
        ) : (
          <NoJobs canCreate={canCreate} />
        )
      ) : (
        <DataTable
          label={t('nav.jobs')}
          rows={jobs.rows}
          columns={columns}
          rowKey={(job) => job.id}
          compact={(job) => <CompactJob job={job} chosen={canChoose ? chosen : undefined} />}
          onNearEnd={jobs.more}
          onRange={jobs.setRange}
          footer={jobs.hasMore ? t('common.loading') : t('jobs.count', { count: jobs.rows.length })}
        />
      )}
    </Page>
  )
}

/** The first visit: says what jobs are and which step comes first, an agent or a job. */
function NoJobs({ canCreate }: { canCreate: boolean }) {
  const { t } = useTranslation()
  const me = useMe()
  const agents = useQuery(agentsQuery()).data
  const needsAgent = me.user.is_admin && agents?.length === 0
  return (
    <Empty
      icon={<IconCalendarClock size={30} stroke={1.4} />}
      title={t('jobs.emptyTitle')}
      action={
        <>
          {needsAgent && (
            <Button renderRoot={(props) => <Link to="/agents" search={{ add: '1' }} {...props} />}>
              {t('agents.add')}
            </Button>
          )}
          {canCreate && (
            <Button
              variant={needsAgent ? 'default' : 'filled'}
              renderRoot={(props) => <Link to="/jobs/new" search={{}} {...props} />}
            >
              {t('jobs.new')}
            </Button>
          )}
        </>
      }
    >
      {needsAgent ? t('jobs.emptyNoAgent') : t('jobs.emptyText')}
    </Empty>
  )
}
