import { Button, Select } from '@mantine/core'
import { IconFilterOff, IconHistory } from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { jobQuery, jobsPage } from '../../api/jobs'
import { UPCOMING } from '../../api/runs'
import { useAgentOptions } from '../../features/agent/useAgents'
import { useGroupOptions } from '../../features/group/useGroups'
import { RunTable } from '../../features/run/RunTable'
import { OUTCOMES } from '../../features/run/status'
import { Filter } from '../../ui/Filters'
import { Page, Toolbar } from '../../ui/Page'
import { Empty } from '../../ui/States'
import { TimeRange } from './TimeRange'

const route = getRouteApi('/shell/runs')
const CAUSES = ['schedule', 'manual', 'retry', 'reboot'] as const
const TROUBLE = 'failed,killed,timed_out,missed,lost'

/** What happened? */
export function RunsPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const groups = useGroupOptions()
  const agents = useAgentOptions()
  const isFiltered = Object.values(search).some(Boolean)
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  return (
    <Page title={t('nav.runs')} isFilled>
      <Toolbar>
        <JobFilter value={search.job} onChange={(job) => set({ job })} />
        <Filter
          label={t('runs.outcome')}
          value={search.outcome}
          options={[
            { value: TROUBLE, label: t('runs.trouble') },
            ...OUTCOMES.map((outcome) => ({ value: outcome, label: t(`status.${outcome}`) })),
          ]}
          onChange={(outcome) => set({ outcome })}
        />
        <Filter
          label={t('filter.state')}
          value={search.state}
          options={[
            { value: 'running', label: t('status.running') },
            { value: 'ended', label: t('runs.ended') },
            { value: UPCOMING, label: t('runs.upcoming') },
          ]}
          onChange={(state) => set({ state })}
          width={130}
        />
        <Filter
          label={t('runs.cause')}
          value={search.cause}
          options={CAUSES.map((cause) => ({ value: cause, label: t(`cause.${cause}`) }))}
          onChange={(cause) => set({ cause })}
          width={120}
        />
        <Filter
          label={t('filter.agent')}
          value={search.agent}
          options={agents}
          onChange={(agent) => set({ agent })}
          width={130}
        />
        <Filter
          label={t('filter.group')}
          value={search.group}
          options={groups}
          onChange={(group) => set({ group })}
          width={130}
        />
        <TimeRange from={search.from} to={search.to} onChange={(from, to) => set({ from, to })} />
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
      <RunTable
        filter={search}
        empty={
          <Empty
            icon={<IconHistory size={30} stroke={1.4} />}
            title={isFiltered ? t('runs.noneFound') : t('runs.emptyTitle')}
          >
            {isFiltered ? t('filter.noneFoundText') : t('runs.emptyText')}
          </Empty>
        }
      />
    </Page>
  )
}

/** Finds a job by name among any number of them. */
function JobFilter({
  value,
  onChange,
}: {
  value: string | undefined
  onChange: (job: string | undefined) => void
}) {
  const { t } = useTranslation()
  const [q, setQ] = useState('')
  const chosen = useQuery({ ...jobQuery(value ?? ''), enabled: Boolean(value) }).data
  const found = useQuery({
    queryKey: ['jobs', 'found', q],
    queryFn: ({ signal }) => jobsPage({ q }, undefined, signal, 20),
    placeholderData: keepPreviousData,
  }).data?.items
  const jobs = [...(chosen ? [chosen] : []), ...(found ?? [])]
  const options = [...new Map(jobs.map((job) => [job.id, { value: job.id, label: job.spec.name }])).values()]
  return (
    <Select
      data-search
      aria-label={t('runs.job')}
      placeholder={t('runs.job')}
      data={options}
      value={value ?? null}
      searchable
      clearable
      clearButtonProps={{ 'aria-label': t('common.clear') }}
      onSearchChange={(text) => setQ(text === chosen?.spec.name ? '' : text)}
      onChange={(next) => onChange(next ?? undefined)}
      nothingFoundMessage={t('common.nothing')}
      w={200}
    />
  )
}
