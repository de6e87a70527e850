import { Modal } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import {
  IconCalendar,
  IconCalendarClock,
  IconHistory,
  IconKeyboard,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlus,
  IconSearch,
  IconServer,
  IconServerCog,
  IconSnowflake,
  IconUserCircle,
  IconUsers,
  IconUsersGroup,
} from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { agentsQuery } from '../../api/agents'
import { jobsPage } from '../../api/jobs'
import { useJobActions } from '../../features/job/useJobActions'
import { canAnywhere, useMe } from '../../features/session/useMe'
import { allows } from '../../lib/roles'
import classes from './Palette.module.css'

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
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      withCloseButton={false}
      padding={0}
      size={560}
      yOffset="14vh"
      centered={false}
      aria-label={t('shell.palette')}
    >
      <Finder onClose={onClose} onHelp={onHelp} />
    </Modal>
  )
}

/** The field and what it finds. It begins anew with every opening. */
function Finder({ onClose, onHelp }: Omit<PaletteProps, 'isOpen'>) {
  const { t } = useTranslation()
  const listId = useId()
  const list = useRef<HTMLDivElement>(null)
  const [query, setQuery] = useState('')
  const [chosen, setChosen] = useState<string>()
  const wanted = query.trim().toLowerCase()
  const fits = (entry: Entry) => entry.label.toLowerCase().includes(wanted)
  const pages = usePages(onHelp)
  const jobs = useJobs(wanted)
  const agents = useAgents()
  // What was found for an earlier text may still be here; it counts only as far as it fits the text now.
  const groups = [
    { key: 'jobs', entries: wanted ? jobs.filter(fits) : [] },
    { key: 'agents', entries: wanted ? agents.filter(fits).slice(0, 6) : [] },
    { key: 'pages', entries: pages.filter(fits) },
  ] as const
  const entries = groups.flatMap((group) => group.entries)
  const current = entries.find((entry) => entry.id === chosen) ?? entries[0]

  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls when another entry is chosen
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' })
  }, [current?.id])

  const act = (entry: Entry | undefined) => {
    if (!entry) return
    onClose()
    entry.act()
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step) {
      const at = entries.indexOf(current as Entry)
      setChosen(entries[(at + step + entries.length) % entries.length]?.id)
    } else if (event.key === 'Enter') act(current)
    else return
    event.preventDefault()
  }

  return (
    <div className={classes.palette}>
      <div className={classes.field}>
        <IconSearch size={16} aria-hidden />
        <input
          data-autofocus
          role="combobox"
          aria-expanded
          aria-controls={listId}
          aria-activedescendant={current && `${listId}-${current.id}`}
          aria-label={t('shell.palette')}
          placeholder={t('palette.placeholder')}
          value={query}
          onChange={(event) => {
            setQuery(event.currentTarget.value)
            setChosen(undefined)
          }}
          onKeyDown={onKey}
          spellCheck={false}
          autoComplete="off"
        />
      </div>
      <div ref={list} id={listId} role="listbox" aria-label={t('shell.palette')} className={classes.list}>
        {groups.map(
          (group) =>
            group.entries.length > 0 && (
              // biome-ignore lint/a11y/useSemanticElements: a fieldset is no group of options
              <div key={group.key} role="group" aria-label={t(`palette.${group.key}`)}>
                <div className={classes.heading}>{t(`palette.${group.key}`)}</div>
                {group.entries.map((entry) => (
                  // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus and names the chosen option
                  // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
                  <div
                    key={entry.id}
                    id={`${listId}-${entry.id}`}
                    role="option"
                    aria-selected={entry === current}
                    className={classes.entry}
                    onClick={() => act(entry)}
                    onMouseMove={() => setChosen(entry.id)}
                  >
                    {entry.icon}
                    <span className="clip">{entry.label}</span>
                    {entry.hint && <span className={classes.hint}>{entry.hint}</span>}
                  </div>
                ))}
              </div>
            ),
        )}
      </div>
      {entries.length === 0 && <p className={classes.none}>{t('common.nothing')}</p>}
    </div>
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
      id: 'windows',
      label: t('nav.windows'),
      icon: <IconSnowflake size={16} />,
      act: () => void navigate({ to: '/windows', search: {} }),
    },
    {
      id: 'calendars',
      label: t('nav.calendars'),
      icon: <IconCalendar size={16} />,
      act: () => void navigate({ to: '/calendars', search: {} }),
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

function useJobs(wanted: string): Entry[] {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const actions = useJobActions()
  const [q] = useDebouncedValue(wanted, 150)
  const { data } = useQuery({
    queryKey: ['jobs', 'palette', q],
    queryFn: ({ signal }) => jobsPage({ q }, undefined, signal, 8),
    enabled: q !== '',
    placeholderData: keepPreviousData,
  })
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
}

function useAgents(): Entry[] {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { data } = useQuery(agentsQuery())
  return (data ?? []).map((agent) => ({
    id: agent.id,
    label: agent.name,
    hint: agent.is_online ? t('agents.online') : t('agents.offline'),
    icon: <IconServer size={16} />,
    act: () => void navigate({ to: '/agents/$agentId', params: { agentId: agent.id }, search: {} }),
  }))
}
