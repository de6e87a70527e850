import { Button, Tabs } from '@mantine/core'
import { IconPlus, IconUsersGroup } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { groupsQuery } from '../../api/groups'
import type { Group } from '../../api/types'
import { useMe } from '../../features/session/useMe'
import { type Column, DataTable, rowLink } from '../../ui/DataTable'
import { Page } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { GroupDialog } from './GroupDialog'
import classes from './GroupsPage.module.css'
import { Matrix } from './Matrix'

const route = getRouteApi('/shell/groups')

/** Who may do what? */
export function GroupsPage() {
  const { t } = useTranslation()
  const me = useMe()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const query = useQuery(groupsQuery)
  const columns = useGroupColumns()
  const [isCreating, setCreating] = useState(false)
  const tab = search.tab === 'matrix' ? 'matrix' : 'list'
  const newButton = me.user.is_admin && (
    <Button leftSection={<IconPlus size={14} />} onClick={() => setCreating(true)}>
      {t('groups.new')}
    </Button>
  )
  return (
    <Page title={t('nav.groups')} actions={newButton} isFilled>
      {query.error ? (
        <Failure error={query.error} retry={() => void query.refetch()} />
      ) : !query.data ? (
        <Loading />
      ) : query.data.length === 0 ? (
        <Empty
          icon={<IconUsersGroup size={30} stroke={1.4} />}
          title={t('groups.emptyTitle')}
          action={newButton}
        >
          {me.user.is_admin ? t('groups.emptyAdmin') : t('groups.emptyText')}
        </Empty>
      ) : (
        <Tabs
          value={tab}
          onChange={(next) =>
            void navigate({ search: { tab: next === 'matrix' ? 'matrix' : undefined }, replace: true })
          }
          classNames={{ root: classes.tabs, panel: classes.panel }}
          keepMounted={false}
        >
          <Tabs.List className={classes.list}>
            <Tabs.Tab value="list">{t('groups.list')}</Tabs.Tab>
            <Tabs.Tab value="matrix">{t('groups.matrix')}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="list">
            <DataTable
              label={t('nav.groups')}
              rows={query.data}
              columns={columns}
              rowKey={(group) => group.id}
              compact={(group) => <CompactGroup group={group} />}
            />
          </Tabs.Panel>
          <Tabs.Panel value="matrix">
            <Matrix groups={query.data} />
          </Tabs.Panel>
        </Tabs>
      )}
      {isCreating && <GroupDialog onClose={() => setCreating(false)} />}
    </Page>
  )
}

function useGroupColumns(): Column<Group>[] {
  const { t } = useTranslation()
  return useMemo(
    () => [
      {
        key: 'name',
        title: t('groups.name'),
        width: 'minmax(140px, 1fr)',
        cell: (group) => <GroupLink group={group} />,
      },
      {
        key: 'description',
        title: t('field.description'),
        width: 'minmax(120px, 1.6fr)',
        from: 760,
        cell: (group) => <span className="dim">{group.description}</span>,
      },
      { key: 'role', title: t('groups.myRole'), width: '96px', cell: (group) => t(`role.${group.my_role}`) },
      { key: 'jobs', title: t('nav.jobs'), width: '64px', align: 'end', cell: (group) => group.job_count },
      {
        key: 'agents',
        title: t('nav.agents'),
        width: '72px',
        align: 'end',
        cell: (group) => group.agent_ids.length,
      },
      {
        key: 'members',
        title: t('groups.members'),
        width: '80px',
        align: 'end',
        cell: (group) => group.members.length,
      },
      {
        key: 'runAs',
        title: t('field.run_as'),
        width: 'minmax(100px, 1fr)',
        from: 900,
        cell: (group) => <code className="dim">{group.run_as.join(', ') || '–'}</code>,
      },
    ],
    [t],
  )
}

function GroupLink({ group }: { group: Group }) {
  return (
    <Link
      to="/groups/$groupId"
      params={{ groupId: group.id }}
      className={rowLink}
      style={{ fontWeight: 500 }}
    >
      {group.name}
    </Link>
  )
}

function CompactGroup({ group }: { group: Group }) {
  const { t } = useTranslation()
  return (
    <>
      <span style={{ display: 'flex', justifyContent: 'space-between' }}>
        <GroupLink group={group} />
        <span className="dim">{t(`role.${group.my_role}`)}</span>
      </span>
      <span className="dim clip">
        {t('jobs.count', { count: group.job_count })} · {t('agents.count', { count: group.agent_ids.length })}
      </span>
    </>
  )
}
