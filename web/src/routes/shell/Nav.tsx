import { Tooltip } from '@mantine/core'
import {
  IconCalendar,
  IconCalendarClock,
  IconHistory,
  IconServer,
  IconServerCog,
  IconSnowflake,
  IconUsers,
  IconUsersGroup,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { agentsQuery } from '../../api/agents'
import { useMe } from '../../features/session/useMe'
import classes from './Nav.module.css'

const PAGES = [
  { to: '/jobs', key: 'jobs', icon: IconCalendarClock },
  { to: '/runs', key: 'runs', icon: IconHistory },
  { to: '/daemons', key: 'daemons', icon: IconServerCog },
  { to: '/agents', key: 'agents', icon: IconServer },
  { to: '/windows', key: 'windows', icon: IconSnowflake },
  { to: '/calendars', key: 'calendars', icon: IconCalendar },
  { to: '/groups', key: 'groups', icon: IconUsersGroup },
  { to: '/users', key: 'users', icon: IconUsers },
] as const

/** The pages that the user may see. Agents that wait to be let in are counted, since nobody looks there unasked. */
export function Nav({ isFolded }: { isFolded: boolean }) {
  const { t } = useTranslation()
  const me = useMe()
  const agents = useQuery({ ...agentsQuery(), enabled: me.user.is_admin }).data ?? []
  const pending = agents.filter((agent) => agent.state === 'pending').length
  const pages = PAGES.filter((page) => page.key !== 'users' || me.user.is_admin)
  return (
    <nav aria-label={t('shell.navigation')} className={classes.nav}>
      {pages.map((page) => {
        const count = page.key === 'agents' ? pending : 0
        return (
          <Tooltip key={page.key} label={t(`nav.${page.key}`)} position="right" disabled={!isFolded}>
            <Link
              to={page.to}
              search={{}}
              className={classes.link}
              activeProps={{ className: classes.active, 'aria-current': 'page' }}
              activeOptions={{ includeSearch: false }}
              aria-label={isFolded ? t(`nav.${page.key}`) : undefined}
            >
              <page.icon size={17} stroke={1.6} aria-hidden />
              {!isFolded && <span>{t(`nav.${page.key}`)}</span>}
              {count > 0 && (
                <span
                  className={classes.count}
                  data-folded={isFolded || undefined}
                  title={t('agents.waiting', { count })}
                >
                  {isFolded ? '' : count}
                </span>
              )}
            </Link>
          </Tooltip>
        )
      })}
    </nav>
  )
}
