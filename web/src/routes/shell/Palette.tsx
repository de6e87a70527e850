import '@mantine/spotlight/styles.css'
import { useDebouncedValue } from '@mantine/hooks'
import { createSpotlight, Spotlight } from '@mantine/spotlight'
import {
  IconCalendarClock,
  IconHistory,
  IconKeyboard,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlus,
  IconSearch,
  IconServer,
  IconServerCog,
  IconUserCircle,
  IconUsers,
  IconUsersGroup,
} from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type ReactNode, useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { agentsQuery } from '../../api/agents'
import { jobsPage } from '../../api/jobs'
import { useJobActions } from '../../features/job/useJobActions'
import { canAnywhere, useMe } from '../../features/session/useMe'
import { allows } from '../../lib/roles'

const [store, controls] = createSpotlight()

interface Entry {
  id: string
  label: string
  hint?: string
  icon: ReactNode
  act: () => void
}

interface PaletteProps {
  isOpen: boolean
  onClose: () => void
  onHelp: () => void
}

/** Finds jobs, agents, pages and actions. */
export function Palette({ isOpen, onClose, onHelp }: PaletteProps) {
  const { t } = useTranslation()
  const [query, setQuery] = useState('')
  const pages = usePages(onHelp)
  const jobs = useJobs(query, isOpen)
  const agents = useAgents(query, isOpen)
  useEffect(() => {
    if (isOpen) controls.open()
    else controls.close()
  }, [isOpen])

  const wanted = query.trim().toLowerCase()
  const groups = [
    { key: 'jobs', entries: wanted ? jobs : [] },
    { key: 'agents', entries: wanted ? agents : [] },
    { key: 'pages', entries: pages.filter((page) => page.label.toLowerCase().includes(wanted)) },
  ] as const
  const isEmpty = groups.every((group) => group.entries.length === 0)

  return (
    <Spotlight.Root
      store={store}
      query={query}
      onQueryChange={setQuery}
      onSpotlightClose={onClose}
      shortcut={null}
      scrollable
      maxHeight={420}
      overlayProps={{ backgroundOpacity: 0.3, blur: 0 }}
      transitionProps={{ duration: 80 }}
    >
      <Spotlight.Search
        placeholder={t('palette.placeholder')}
        leftSection={<IconSearch size={16} />}
        aria-label={t('shell.palette')}
      />
      <Spotlight.ActionsList>
        {groups.map(
          (group) =>
            group.entries.length > 0 && (
              <Spotlight.ActionsGroup key={group.key} label={t(`palette.${group.key}`)}>
                {group.entries.map((entry) => (
                  <Spotlight.Action
                    key={entry.id}
                    onClick={entry.act}
                    leftSection={entry.icon}
                    label={entry.label}
                    rightSection={entry.hint ? <span className="faint">{entry.hint}</span> : undefined}
                    py={6}
                  />
                ))}
              </Spotlight.ActionsGroup>
            ),
        )}
        {isEmpty && <Spotlight.Empty>{t('common.nothing')}</Spotlight.Empty>}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  )
}

function usePages(onHelp: () => void): Entry[] {
  const { t } = useTranslation()
  const me = useMe()
  const navigate = useNavigate()
  const entries: (Entry | false)[] = [
    canAnywhere(me, 'editor') && {
      id: 'new',
      label: t('jobs.new'),
      hint: 'n',
      icon: <IconPlus size={16} />,
      act: () => void navigate({ to: '/jobs/new', search: {} }),
    },
    me.user.is_admin && {
      id: 'add-agent',
      label: t('agents.add'),
      icon: <IconPlus size={16} />,
      act: () => void navigate({ to: '/agents', search: { add: '1' } }),
    },
    {
      id: 'jobs',
      label: t('nav.jobs'),
      hint: 'g j',
      icon: <IconCalendarClock size={16} />,
      act: () => void navigate({ to: '/jobs', search: {} }),
    },
    {
      id: 'runs',
      label: t('nav.runs'),
      hint: 'g r',
      icon: <IconHistory size={16} />,
      act: () => void navigate({ to: '/runs', search: {} }),
    },
    {
      id: 'failures',
      label: t('palette.failures'),
      icon: <IconHistory size={16} />,
      act: () => void navigate({ to: '/runs', search: { outcome: 'failed,killed,timed_out,missed,lost' } }),
    },
    {
      id: 'daemons',
      label: t('nav.daemons'),
      hint: 'g d',
      icon: <IconServerCog size={16} />,
      act: () => void navigate({ to: '/daemons', search: {} }),
    },
    {
      id: 'agents',
      label: t('nav.agents'),
      hint: 'g a',
      icon: <IconServer size={16} />,
      act: () => void navigate({ to: '/agents', search: {} }),
    },
    {
      id: 'groups',
      label: t('nav.groups'),
      hint: 'g u',
      icon: <IconUsersGroup size={16} />,
      act: () => void navigate({ to: '/groups', search: {} }),
    },
    me.user.is_admin && {
      id: 'users',
      label: t('nav.users'),
      icon: <IconUsers size={16} />,
      act: () => void navigate({ to: '/users', search: {} }),
    },
    {
      id: 'account',
      label: t('account.title'),
      icon: <IconUserCircle size={16} />,
      act: () => void navigate({ to: '/account' }),
    },
    { id: 'help', label: t('shell.shortcuts'), hint: '?', icon: <IconKeyboard size={16} />, act: onHelp },
  ]
  return entries.filter((entry) => entry !== false)
}

function useJobs(query: string, isOpen: boolean): Entry[] {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const actions = useJobActions()
  const [q] = useDebouncedValue(query.trim(), 150)
  const { data } = useQuery({
    queryKey: ['jobs', 'found', q],
    queryFn: ({ signal }) => jobsPage({ q }, undefined, signal, 8),
    enabled: isOpen && q !== '',
    placeholderData: keepPreviousData,
  })
  return useMemo(() => {
    const jobs = data?.items ?? []
    const open = jobs.map(
      (job): Entry => ({
        id: job.id,
        label: job.spec.name,
        hint: job.group_name,
        icon: job.kind === 'daemon' ? <IconServerCog size={16} /> : <IconCalendarClock size={16} />,
        act: () => void navigate({ to: '/jobs/$jobId', params: { jobId: job.id }, search: {} }),
      }),
    )
    const acts = jobs.slice(0, 3).flatMap((job): Entry[] => {
      if (!allows(job.my_role, 'operator')) return []
      const pause: Entry = {
        id: `pause-${job.id}`,
        label: t(job.is_paused ? 'palette.resume' : 'palette.pause', { job: job.spec.name }),
        icon: job.is_paused ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />,
        act: () => void actions.setPaused(job, !job.is_paused),
      }
      if (job.kind === 'daemon') return [pause]
      const run: Entry = {
        id: `run-${job.id}`,
        label: t('palette.run', { job: job.spec.name }),
        icon: <IconPlayerPlay size={16} />,
        act: () => void actions.runNow(job),
      }
      return [run, pause]
    })
    return [...open, ...acts]
  }, [data, navigate, actions, t])
}

function useAgents(query: string, isOpen: boolean): Entry[] {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { data } = useQuery({ ...agentsQuery(), enabled: isOpen })
  const wanted = query.trim().toLowerCase()
  return (data ?? [])
    .filter((agent) => agent.name.toLowerCase().includes(wanted))
    .slice(0, 6)
    .map((agent) => ({
      id: agent.id,
      label: agent.name,
      hint: agent.is_online ? t('agents.online') : t('agents.offline'),
      icon: <IconServer size={16} />,
      act: () => void navigate({ to: '/agents/$agentId', params: { agentId: agent.id }, search: {} }),
    }))
}
