import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { Agent } from '../../api/types'
import { AgentMark } from '../../features/agent/AgentMark'
import { cgroupMode, cgroupText } from '../../features/agent/cgroups'
import { loadTone } from '../../features/agent/load'
import { useGroupOptions } from '../../features/group/useGroups'
import { bytes } from '../../lib/bytes'
import { signedDuration } from '../../lib/time'
import { type Column, rowLink } from '../../ui/DataTable'
import { Ago } from '../../ui/Time'

export function useAgentColumns(): Column<Agent>[] {
  const { t, i18n } = useTranslation()
  const groups = useGroupOptions()
  const names = groups.map((group) => `${group.value}=${group.label}`).join('\n')
  return useMemo(() => {
    const nameOf = new Map(
      names.split('\n').map((pair): [string, string] => [pair.slice(0, 36), pair.slice(37)]),
    )
    const number = new Intl.NumberFormat(i18n.language, {
      minimumFractionDigits: 2,
      maximumFractionDigits: 2,
    })
    const none = <span className="faint">–</span>
    const columns: Column<Agent>[] = [
      {
        key: 'name',
        title: t('agents.name'),
        width: 'minmax(130px, 1.2fr)',
        cell: (agent) => <AgentLink agent={agent} />,
      },
      {
        key: 'state',
        title: t('filter.state'),
        width: '104px',
        cell: (agent) => <AgentMark agent={agent} />,
      },
      {
        key: 'groups',
        title: t('nav.groups'),
        width: 'minmax(90px, 1fr)',
        from: 780,
        cell: (agent) => (
          <span className="dim">
            {agent.group_ids
              .map((id) => nameOf.get(id))
              .filter(Boolean)
              .join(', ') || '–'}
          </span>
        ),
      },
      {
        key: 'running',
        title: t('agents.running'),
        width: '72px',
        align: 'end',
        cell: (agent) => agent.running_count,
      },
      {
        key: 'slots',
        title: t('agents.slots'),
        width: '84px',
        align: 'end',
        from: 860,
        cell: (agent) => (agent.slots_wanted === 0 ? none : `${agent.slots_running} / ${agent.slots_wanted}`),
      },
      {
        key: 'load',
        title: t('agents.load'),
        width: '96px',
        align: 'end',
        from: 560,
        cell: (agent) =>
          agent.is_online ? (
            <span style={{ color: loadTone(agent) }}>
              {number.format(agent.load_1m)} <span className="faint">/ {agent.cpu_count}</span>
            </span>
          ) : (
            none
          ),
      },
      {
        key: 'memory',
        title: t('agents.memory'),
        width: '150px',
        align: 'end',
        from: 1240,
        cell: (agent) =>
          agent.is_online ? (
            <>
              {bytes(agent.memory_available_bytes, i18n.language)}{' '}
              <span className="faint">/ {bytes(agent.memory_total_bytes, i18n.language)}</span>
            </>
          ) : (
            none
          ),
      },
      {
        key: 'offset',
        title: t('agents.offset'),
        width: '84px',
        align: 'end',
        from: 1000,
        cell: (agent) =>
          agent.clock_offset_us == null ? none : signedDuration(agent.clock_offset_us / 1_000, i18n.language),
      },
      {
        key: 'cgroups',
        title: t('cgroups.title'),
        width: '96px',
        from: 1120,
        cell: (agent) => (
          <span className="dim" title={cgroupText(agent, t)}>
            {cgroupMode(agent, t)}
          </span>
        ),
      },
      {
        key: 'version',
        title: t('agents.version'),
        width: '76px',
        from: 940,
        cell: (agent) => <span className="dim">{agent.version}</span>,
      },
      {
        key: 'seen',
        title: t('agents.seen'),
        width: '104px',
        from: 660,
        cell: (agent) =>
          agent.last_seen_at ? (
            <span className="dim">
              <Ago at={agent.last_seen_at} />
            </span>
          ) : (
            none
          ),
      },
    ]
    return columns
  }, [t, i18n.language, names])
}

function AgentLink({ agent }: { agent: Agent }) {
  return (
    <Link
      to="/agents/$agentId"
      params={{ agentId: agent.id }}
      search={{}}
      className={rowLink}
      style={{ fontWeight: 500 }}
      title={agent.hostname === agent.name ? undefined : agent.hostname}
    >
      {agent.name}
    </Link>
  )
}

/** One agent on a phone. */
export function CompactAgent({ agent }: { agent: Agent }) {
  const { t, i18n } = useTranslation()
  return (
    <>
      <span style={{ display: 'flex', justifyContent: 'space-between', gap: 12 }}>
        <AgentLink agent={agent} />
        <AgentMark agent={agent} />
      </span>
      <span className="dim clip">
        {t('agents.runningCount', { count: agent.running_count })} · {t('agents.load')}{' '}
        {new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 2 }).format(agent.load_1m)}
        {agent.last_seen_at && (
          <>
            {' · '}
            <Ago at={agent.last_seen_at} />
          </>
        )}
      </span>
    </>
  )
}
