import { Button } from '@mantine/core'
import { IconPlus, IconServer } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { agentsQuery } from '../../api/agents'
import { ApproveBanner } from '../../features/agent/ApproveBanner'
import { CentersStrip } from '../../features/center/CentersStrip'
import { useGroupOptions } from '../../features/group/useGroups'
import { useMe } from '../../features/session/useMe'
import { DataTable } from '../../ui/DataTable'
import { Filter, SearchBox } from '../../ui/Filters'
import { Page, Toolbar } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { AddAgentDialog } from './AddAgentDialog'
import { CompactAgent, useAgentColumns } from './columns'

const route = getRouteApi('/shell/agents')

/** Which machines, how are they? */
export function AgentsPage() {
  const { t } = useTranslation()
  const me = useMe()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const groups = useGroupOptions()
  const columns = useAgentColumns()
  const { add, ...filter } = search
  const query = useQuery(agentsQuery(filter))
  const isFiltered = Object.values(filter).some(Boolean)
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  const agents = query.data ?? []
  const working = agents.filter((agent) => agent.state === 'active')
  const addButton = me.user.is_admin && (
    <Button leftSection={<IconPlus size={14} />} onClick={() => set({ add: '1' })}>
      {t('agents.add')}
    </Button>
  )
  return (
    <Page
      title={t('nav.agents')}
      state={
        working.length > 0 && (
          <span className="dim">
            {t('agents.share', {
              online: working.filter((agent) => agent.is_online).length,
              all: working.length,
            })}
          </span>
        )
      }
      actions={addButton}
      isFilled
    >
      <Toolbar>
        <SearchBox
          label={t('agents.search')}
          value={search.q ?? ''}
          onChange={(q) => set({ q: q || undefined })}
        />
        <Filter
          label={t('filter.state')}
          value={search.state}
          options={(['active', 'pending', 'revoked'] as const).map((state) => ({
            value: state,
            label: t(`agents.state.${state}`),
          }))}
          onChange={(state) => set({ state })}
        />
        <Filter
          label={t('agents.reach')}
          value={search.online}
          options={[
            { value: 'true', label: t('agents.online') },
            { value: 'false', label: t('agents.offline') },
          ]}
          onChange={(online) => set({ online })}
        />
        <Filter
          label={t('filter.group')}
          value={search.group}
          options={groups}
          onChange={(group) => set({ group })}
        />
      </Toolbar>
      {me.user.is_admin && <CentersStrip />}
      {me.user.is_admin && <ApproveBanner agents={agents.filter((agent) => agent.state === 'pending')} />}
      {query.error ? (
        <Failure error={query.error} retry={() => void query.refetch()} />
      ) : !query.data ? (
        <Loading />
      ) : agents.length === 0 ? (
        <Empty
          icon={<IconServer size={30} stroke={1.4} />}
          title={isFiltered ? t('agents.noneFound') : t('agents.emptyTitle')}
          action={!isFiltered && addButton}
        >
          {isFiltered ? t('filter.noneFoundText') : t('agents.emptyText')}
        </Empty>
      ) : (
        <DataTable
          label={t('nav.agents')}
          rows={agents}
          columns={columns}
          rowKey={(agent) => agent.id}
          compact={(agent) => <CompactAgent agent={agent} />}
          footer={t('agents.count', { count: agents.length })}
        />
      )}
      {me.user.is_admin && <AddAgentDialog isOpen={add === '1'} onClose={() => set({ add: undefined })} />}
    </Page>
  )
}
