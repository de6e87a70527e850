import { ActionIcon, Button, Menu, Tabs } from '@mantine/core'
import { IconBan, IconCheck, IconDots, IconPencil } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { agentQuery, revokeAgent } from '../../api/agents'
import { UPCOMING } from '../../api/runs'
import { slotsQuery } from '../../api/slots'
import type { Agent } from '../../api/types'
import { AgentMark } from '../../features/agent/AgentMark'
import { ApproveDialog } from '../../features/agent/ApproveBanner'
import { LoadAhead } from '../../features/forecast/LoadAhead'
import { RunTable } from '../../features/run/RunTable'
import { groupsWith, useMe } from '../../features/session/useMe'
import { SlotGrid } from '../../features/slot/SlotGrid'
import { groupBy } from '../../lib/groupBy'
import { useConfirm } from '../../ui/Confirm'
import { notifyDone } from '../../ui/notify'
import { Page } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { AgentFacts } from './AgentFacts'
import classes from './AgentPage.module.css'
import { AgentPolicy } from './AgentPolicy'
import { EditAgentDialog } from './EditAgentDialog'

const route = getRouteApi('/shell/agents/$agentId')
const TABS = ['now', 'next', 'runs', 'daemons', 'policy'] as const

/** How is this machine, and what runs there? */
export function AgentPage() {
  const { t } = useTranslation()
  const { agentId } = route.useParams()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const query = useQuery(agentQuery(agentId))
  const agent = query.data
  const parent = (
    <Link to="/agents" search={{}}>
      {t('nav.agents')}
    </Link>
  )
  if (!agent) {
    return (
      <Page title={t('agents.one')} parent={parent}>
        {query.error ? <Failure error={query.error} retry={() => void query.refetch()} /> : <Loading />}
      </Page>
    )
  }
  const tab = TABS.find((each) => each === search.tab) ?? 'now'
  return (
    <Page
      isFilled
      parent={parent}
      title={agent.name}
      state={<AgentMark agent={agent} isSoft />}
      actions={<Actions agent={agent} />}
    >
      <div className={classes.page}>
        <div className={classes.facts}>
          <AgentFacts agent={agent} />
          {agent.state === 'active' && <LoadAhead filter={{ agent: agent.id }} />}
        </div>
        <Tabs
          value={tab}
          onChange={(next) =>
            void navigate({
              search: { tab: next === 'now' ? undefined : (next ?? undefined) },
              replace: true,
            })
          }
          classNames={{ root: classes.tabs, panel: classes.panel }}
          keepMounted={false}
        >
          <Tabs.List className={classes.list}>
            {TABS.map((each) => (
              <Tabs.Tab key={each} value={each}>
                {t(`agents.tab.${each}`)}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value="now">
            <RunTable
              filter={{ agent: agent.id, state: 'running' }}
              without={['agent']}
              empty={<Empty title={t('agents.idleTitle')}>{t('agents.idleText')}</Empty>}
            />
          </Tabs.Panel>
          <Tabs.Panel value="next">
            <RunTable
              filter={{ agent: agent.id, state: UPCOMING }}
              without={['agent']}
              empty={<Empty title={t('agents.nextTitle')}>{t('agents.nextText')}</Empty>}
            />
          </Tabs.Panel>
          <Tabs.Panel value="runs">
            <RunTable
              filter={{ agent: agent.id }}
              without={['agent']}
              empty={<Empty title={t('runs.emptyTitle')}>{t('runs.emptyText')}</Empty>}
            />
          </Tabs.Panel>
          <Tabs.Panel value="daemons">
            <AgentDaemons agent={agent} />
          </Tabs.Panel>
          <Tabs.Panel value="policy">
            <AgentPolicy agent={agent} />
          </Tabs.Panel>
        </Tabs>
      </div>
    </Page>
  )
}

function AgentDaemons({ agent }: { agent: Agent }) {
  const { t } = useTranslation()
  const operable = groupsWith(useMe(), 'operator')
  const query = useQuery(slotsQuery({ agent: agent.id }))
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />
  if (!query.data) return <Loading />
  if (query.data.length === 0) return <Empty title={t('daemons.emptyAgent')}>{t('daemons.emptyText')}</Empty>
  return (
    <div className={classes.pad}>
      {[...groupBy(query.data, (slot) => slot.job_id)].map(([jobId, slots]) => (
        <section key={jobId} className={classes.job}>
          <h2>
            <Link to="/jobs/$jobId" params={{ jobId }} search={{}}>
              {slots[0]?.job_name}
            </Link>
          </h2>
          <SlotGrid slots={slots} canOperate={!operable || operable.has(slots[0]?.group_id ?? '')} />
        </section>
      ))}
    </div>
  )
}

function Actions({ agent }: { agent: Agent }) {
  const { t } = useTranslation()
  const me = useMe()
  const client = useQueryClient()
  const confirm = useConfirm()
  const navigate = route.useNavigate()
  const [isApproving, setApproving] = useState(false)
  const [isEditing, setEditing] = useState(false)
  if (!me.user.is_admin || agent.state === 'revoked') return null
  const revoke = () =>
    confirm({
      title: t('agents.revoke.title', { agent: agent.name }),
      consequence: t('agents.revoke.consequence', { count: agent.running_count }),
      action: t('agents.revoke.action'),
      run: async () => {
        await revokeAgent(agent.id)
        await navigate({ to: '/agents', search: {} })
        await client.invalidateQueries({ queryKey: ['agents'] })
        notifyDone(t('agents.revoke.done', { agent: agent.name }))
      },
    })
  return (
    <>
      {agent.state === 'pending' && (
        <Button leftSection={<IconCheck size={14} />} onClick={() => setApproving(true)}>
          {t('agents.approve.action')}
        </Button>
      )}
      <Menu position="bottom-end" width={190}>
        <Menu.Target>
          <ActionIcon aria-label={t('common.more')} variant="default" size={30}>
            <IconDots size={15} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => setEditing(true)}>
            {t('agents.edit.open')}
          </Menu.Item>
          <Menu.Item color="red" leftSection={<IconBan size={15} />} onClick={revoke}>
            {t('agents.revoke.action')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {isApproving && <ApproveDialog agent={agent} onClose={() => setApproving(false)} />}
      {isEditing && <EditAgentDialog agent={agent} onClose={() => setEditing(false)} />}
    </>
  )
}
