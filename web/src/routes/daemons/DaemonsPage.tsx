import { ActionIcon, Tooltip } from '@mantine/core'
import { IconReload, IconServerCog } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { slotsQuery } from '../../api/slots'
import type { Slot } from '../../api/types'
import { useAgentOptions } from '../../features/agent/useAgents'
import { useGroupOptions } from '../../features/group/useGroups'
import { groupsWith, useMe } from '../../features/session/useMe'
import { SlotGrid } from '../../features/slot/SlotGrid'
import { SLOT_STATES, SlotMark } from '../../features/slot/SlotMark'
import { useRestart } from '../../features/slot/useRestart'
import { groupBy } from '../../lib/groupBy'
import { Filter, SearchBox } from '../../ui/Filters'
import { Page, Toolbar } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import classes from './DaemonsPage.module.css'

const route = getRouteApi('/shell/daemons')

/** Is every worker up? */
export function DaemonsPage() {
  const { t } = useTranslation()
  const me = useMe()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const groups = useGroupOptions()
  const agents = useAgentOptions()
  const query = useQuery(slotsQuery({ group: search.group, agent: search.agent }))
  const operable = groupsWith(me, 'operator')
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true })

  const wanted = search.q?.toLowerCase() ?? ''
  const slots = (query.data ?? []).filter((slot) => slot.job_name.toLowerCase().includes(wanted))
  const shown = search.state ? slots.filter((slot) => slot.state === search.state) : slots
  const jobs = [...groupBy(shown, (slot) => slot.job_id)].sort(([, a], [, b]) => trouble(b) - trouble(a))
  return (
    <Page title={t('nav.daemons')} state={query.data && <Summary slots={slots} />} isFilled>
      <Toolbar>
        <SearchBox
          label={t('jobs.search')}
          value={search.q ?? ''}
          onChange={(q) => set({ q: q || undefined })}
        />
        <Filter
          label={t('filter.state')}
          value={search.state}
          options={SLOT_STATES.map((state) => ({ value: state, label: t(`slot.${state}`) }))}
          onChange={(state) => set({ state })}
        />
        <Filter
          label={t('filter.agent')}
          value={search.agent}
          options={agents}
          onChange={(agent) => set({ agent })}
        />
        <Filter
          label={t('filter.group')}
          value={search.group}
          options={groups}
          onChange={(group) => set({ group })}
        />
      </Toolbar>
      {query.error ? (
        <Failure error={query.error} retry={() => void query.refetch()} />
      ) : !query.data ? (
        <Loading />
      ) : query.data.length === 0 ? (
        <Empty icon={<IconServerCog size={30} stroke={1.4} />} title={t('daemons.emptyTitle')}>
          {t('daemons.emptyText')}
        </Empty>
      ) : shown.length === 0 ? (
        <Empty title={t('daemons.noneFound')}>{t('filter.noneFoundText')}</Empty>
      ) : (
        <div className={classes.jobs}>
          {jobs.map(([jobId, list]) => (
            <JobBlock
              key={jobId}
              slots={list}
              canOperate={!operable || operable.has(list[0]?.group_id ?? '')}
            />
          ))}
        </div>
      )}
    </Page>
  )
}

/** What is not well comes first. */
function trouble(slots: readonly Slot[]): number {
  return (
    slots.filter((slot) => slot.state === 'crash_loop').length * 1_000 +
    slots.filter((slot) => slot.state === 'backoff').length
  )
}

function Summary({ slots }: { slots: readonly Slot[] }) {
  const { t } = useTranslation()
  const running = slots.filter((slot) => slot.state === 'running').length
  const looping = slots.filter((slot) => slot.state === 'crash_loop').length
  return (
    <>
      <span className="dim">{t('daemons.share', { running, wanted: slots.length })}</span>
      {looping > 0 && (
        <span className={classes.looping}>
          <SlotMark state="crash_loop" isSoft /> {looping}
        </span>
      )}
    </>
  )
}

function JobBlock({ slots, canOperate }: { slots: readonly Slot[]; canOperate: boolean }) {
  const { t } = useTranslation()
  const restart = useRestart()
  const first = slots[0]
  if (!first) return null
  const running = slots.filter((slot) => slot.state === 'running').length
  return (
    <section className={classes.job}>
      <header className={classes.head}>
        <h2>
          <Link to="/jobs/$jobId" params={{ jobId: first.job_id }} search={{}}>
            {first.job_name}
          </Link>
        </h2>
        <span className="dim">{t('daemons.share', { running, wanted: slots.length })}</span>
        {canOperate && (
          <Tooltip label={t('daemons.restartAll')}>
            <ActionIcon
              size={22}
              aria-label={t('daemons.restartAllNamed', { job: first.job_name })}
              onClick={() => restart(slots)}
            >
              <IconReload size={14} stroke={1.6} />
            </ActionIcon>
          </Tooltip>
        )}
      </header>
      <SlotGrid slots={slots} canOperate={canOperate} />
    </section>
  )
}
