import { Link } from '@tanstack/react-router'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import type { Agent } from '../../api/types'
import { Fingerprint } from '../../features/agent/ApproveBanner'
import { cgroupText } from '../../features/agent/cgroups'
import { loadTone } from '../../features/agent/load'
import { useGroupOptions } from '../../features/group/useGroups'
import { bytes } from '../../lib/bytes'
import { duration, signedDuration } from '../../lib/time'
import { Facts } from '../../ui/Facts'
import { AtAndAgo } from '../../ui/Time'

/** What is known of a machine. */
export function AgentFacts({ agent }: { agent: Agent }) {
  const { t, i18n } = useTranslation()
  const groups = useGroupOptions().filter((group) => agent.group_ids.includes(group.value))
  const number = new Intl.NumberFormat(i18n.language, { minimumFractionDigits: 2, maximumFractionDigits: 2 })
  return (
    <Facts
      columns={3}
      items={[
        [t('agents.running'), agent.running_count],
        [
          t('agents.waiting'),
          agent.waiting && agent.waiting.count > 0 && <Waiting key="waiting" agent={agent} />,
        ],
        [t('agents.runLimits'), limitsText(agent, t)],
        [t('agents.slots'), agent.slots_wanted > 0 && `${agent.slots_running} / ${agent.slots_wanted}`],
        [
          t('agents.load'),
          <span key="load" style={{ color: loadTone(agent) }}>
            {number.format(agent.load_1m)}{' '}
            <span className="faint">{t('agents.cpus', { count: agent.cpu_count })}</span>
          </span>,
        ],
        [
          t('agents.memory'),
          t('agents.memoryOf', {
            free: bytes(agent.memory_available_bytes, i18n.language),
            all: bytes(agent.memory_total_bytes, i18n.language),
          }),
        ],
        [
          t('agents.offset'),
          agent.clock_offset_us != null && signedDuration(agent.clock_offset_us / 1_000, i18n.language),
        ],
        [
          t('agents.roundTrip'),
          agent.round_trip_us != null && duration(agent.round_trip_us / 1_000, i18n.language),
        ],
        [t('agents.spool'), agent.spool && <SpoolLevel key="spool" spool={agent.spool} />],
        [t('agents.seen'), agent.last_seen_at && <AtAndAgo at={agent.last_seen_at} />],
        [
          t('nav.groups'),
          groups.length > 0
            ? groups.map((group, nth) => (
                <span key={group.value}>
                  {nth > 0 && ', '}
                  <Link to="/groups/$groupId" params={{ groupId: group.value }}>
                    {group.label}
                  </Link>
                </span>
              ))
            : t('agents.noGroup'),
        ],
        [t('agents.hostname'), agent.hostname],
        [t('agents.os'), `${agent.os} · ${agent.arch}`],
        [t('agents.version'), agent.version],
        [
          t('cgroups.title'),
          <span key="cgroups">
            {cgroupText(agent, t)}
            {agent.cgroups?.detail && <span className="faint"> ({agent.cgroups.detail})</span>}
          </span>,
        ],
        [t('agents.rights'), agent.is_root ? t('agents.root') : t('agents.notRoot')],
        [t('agents.joined'), <AtAndAgo key="joined" at={agent.joined_at} />],
        [t('agents.key'), <Fingerprint key="key" text={agent.key_fingerprint} />],
      ]}
    />
  )
}

/** What its limits on runs are, if there are any. */
function limitsText({ run_limits: limits }: Agent, t: TFunction): string | undefined {
  const said = [
    limits.running_max && t('agents.limitRunning', { count: limits.running_max }),
    limits.starts_per_second && t('agents.limitStarts', { count: limits.starts_per_second }),
  ]
  return said.filter(Boolean).join(' · ') || undefined
}

/** Runs that are due and wait for their turn or for room. */
function Waiting({ agent }: { agent: Agent }) {
  const { t } = useTranslation()
  return (
    <>
      {t('agents.waitingCount', { count: agent.waiting?.count ?? 0 })}
      {agent.waiting?.since && (
        <>
          {' · '}
          {t('agents.waitingSince')} <AtAndAgo at={agent.waiting.since} />
        </>
      )}
    </>
  )
}

/** How much output waits for the center, and whether some had to be given up. */
function SpoolLevel({ spool }: { spool: NonNullable<Agent['spool']> }) {
  const { t, i18n } = useTranslation()
  return (
    <>
      {t('agents.spoolOf', {
        used: bytes(spool.bytes, i18n.language),
        all: bytes(spool.max_bytes, i18n.language),
      })}
      {spool.dropped_count > 0 && (
        <span className="danger"> {t('agents.spoolDropped', { count: spool.dropped_count })}</span>
      )}
    </>
  )
}
