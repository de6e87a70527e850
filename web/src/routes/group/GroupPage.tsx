import { ActionIcon, Button, Menu } from '@mantine/core'
import { IconDots, IconPencil, IconTrash } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { agentsQuery } from '../../api/agents'
import { deleteGroup, groupQuery } from '../../api/groups'
import type { Group } from '../../api/types'
import { AgentMark } from '../../features/agent/AgentMark'
import { LoadAhead } from '../../features/forecast/LoadAhead'
import { RoleMark } from '../../features/group/RoleMark'
import { useMe } from '../../features/session/useMe'
import { useConfirm } from '../../ui/Confirm'
import { notifyDone } from '../../ui/notify'
import { Page, Section } from '../../ui/Page'
import { Failure, Loading } from '../../ui/States'
import { GroupDialog } from '../groups/GroupDialog'
import classes from './GroupPage.module.css'
import { Members } from './Members'
import { Secrets } from './Secrets'

const route = getRouteApi('/shell/groups/$groupId')

/** One group: its members, the users its jobs may run as, its agents. */
export function GroupPage() {
  const { t } = useTranslation()
  const { groupId } = route.useParams()
  const query = useQuery(groupQuery(groupId))
  const group = query.data
  const parent = (
    <Link to="/groups" search={{}}>
      {t('nav.groups')}
    </Link>
  )
  if (!group) {
    return (
      <Page title={t('groups.one')} parent={parent}>
        {query.error ? <Failure error={query.error} retry={() => void query.refetch()} /> : <Loading />}
      </Page>
    )
  }
  return (
    <Page
      title={group.name}
      parent={parent}
      state={<RoleMark role={group.my_role} />}
      actions={<Actions group={group} />}
    >
      {group.description && <p className={classes.description}>{group.description}</p>}
      <div className={classes.columns}>
        <div>
          <Members group={group} />
          <Secrets group={group} />
        </div>
        <div>
          <Section
            title={t('nav.jobs')}
            aside={
              <Link to="/jobs" search={{ group: group.id }} className={classes.more}>
                {t('jobs.count', { count: group.job_count })}
              </Link>
            }
          >
            <p className="dim">{t('groups.jobsText')}</p>
          </Section>
          <LoadAhead filter={{ group: group.id }} />
          <Section title={t('field.run_as')}>
            {group.run_as.length > 0 ? (
              <ul className={classes.runAs}>
                {group.run_as.map((user) => (
                  <li key={user}>
                    <code>{user}</code>
                  </li>
                ))}
              </ul>
            ) : (
              <p className={classes.missing}>{t('groups.noRunAs')}</p>
            )}
          </Section>
          <Agents group={group} />
        </div>
      </div>
    </Page>
  )
}

function Agents({ group }: { group: Group }) {
  const { t } = useTranslation()
  const agents = (useQuery(agentsQuery()).data ?? []).filter((agent) => group.agent_ids.includes(agent.id))
  return (
    <Section title={t('nav.agents')}>
      {agents.length > 0 ? (
        <ul className={classes.agents}>
          {agents.map((agent) => (
            <li key={agent.id}>
              <Link to="/agents/$agentId" params={{ agentId: agent.id }} search={{}} className="clip">
                {agent.name}
              </Link>
              <AgentMark agent={agent} />
            </li>
          ))}
        </ul>
      ) : (
        <p className={classes.missing}>{t('groups.noAgents')}</p>
      )}
    </Section>
  )
}

function Actions({ group }: { group: Group }) {
  const { t } = useTranslation()
  const me = useMe()
  const client = useQueryClient()
  const confirm = useConfirm()
  const navigate = route.useNavigate()
  const [isEditing, setEditing] = useState(false)
  if (!me.user.is_admin) return null
  const remove = () =>
    confirm({
      title: t('groups.delete.title', { group: group.name }),
      consequence:
        group.job_count > 0
          ? t('groups.delete.hasJobs', { count: group.job_count })
          : t('groups.delete.consequence', { count: group.members.length }),
      action: t('groups.delete.action'),
      run: async () => {
        await deleteGroup(group.id)
        await navigate({ to: '/groups', search: {} })
        await client.invalidateQueries({ queryKey: ['groups'] })
        notifyDone(t('groups.delete.done', { group: group.name }))
      },
    })
  return (
    <>
      <Button variant="default" leftSection={<IconPencil size={14} />} onClick={() => setEditing(true)}>
        {t('common.edit')}
      </Button>
      <Menu position="bottom-end" width={180}>
        <Menu.Target>
          <ActionIcon aria-label={t('common.more')} variant="default" size={30}>
            <IconDots size={15} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item color="red" leftSection={<IconTrash size={15} />} onClick={remove}>
            {t('common.delete')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {isEditing && <GroupDialog group={group} onClose={() => setEditing(false)} />}
    </>
  )
}
