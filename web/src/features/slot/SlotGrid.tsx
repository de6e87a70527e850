import { ActionIcon, Tooltip } from '@mantine/core'
import { IconAlertTriangleFilled, IconReload, IconRotateClockwise } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Slot } from '../../api/types'
import { groupBy } from '../../lib/groupBy'
import { plain } from '../../lib/sgr'
import { Code } from '../../ui/Code'
import { Ago, Since } from '../../ui/Time'
import { OnlineMark } from '../agent/AgentMark'
import classes from './SlotGrid.module.css'
import { SlotIcon, SlotMark, slotTone } from './SlotMark'
import { useRestart } from './useRestart'
import { endWords, probeWords, rollout } from './words'

/** The slots of one job, agent by agent; below an agent the evidence for what is not well. */
export function SlotGrid({ slots, canOperate }: { slots: readonly Slot[]; canOperate: boolean }) {
  const { t } = useTranslation()
  const restart = useRestart()
  const agents = groupBy(slots, (slot) => slot.agent_id)
  return (
    <>
      <Rollout slots={slots} />
      <ul className={classes.agents}>
        {[...agents].map(([agentId, list]) => {
          const first = list[0]
          if (!first) return null
          return (
            <li key={agentId} className={classes.agent}>
              <div className={classes.agentName}>
                <Link to="/agents/$agentId" params={{ agentId }} className="clip">
                  {first.agent_name}
                </Link>
                {!first.is_agent_online && <OnlineMark isOnline={false} />}
                {canOperate && (
                  <Tooltip label={t('daemons.restartAgent')}>
                    <ActionIcon
                      size={22}
                      aria-label={t('daemons.restartNamed', { job: first.job_name, agent: first.agent_name })}
                      onClick={() => restart(list)}
                    >
                      <IconReload size={14} stroke={1.6} />
                    </ActionIcon>
                  </Tooltip>
                )}
              </div>
              <div className={classes.slots} data-stale={!first.is_agent_online || undefined}>
                {list.map((slot) => (
                  <SlotCell key={slot.index} slot={slot} />
                ))}
              </div>
              <Evidence slots={list} />
            </li>
          )
        })}
      </ul>
    </>
  )
}

/** How far replacing is, while it goes on or has stopped. */
function Rollout({ slots }: { slots: readonly Slot[] }) {
  const { t } = useTranslation()
  const progress = rollout(slots)
  if (!progress) return null
  return (
    <p className={classes.rollout} data-halted={progress.isHalted || undefined} role="status">
      {progress.isHalted ? (
        <IconAlertTriangleFilled size={14} aria-hidden />
      ) : (
        <IconRotateClockwise size={14} aria-hidden />
      )}
      {t(progress.isHalted ? 'daemons.rollingHalted' : 'daemons.rolling', progress)}
      <progress max={progress.count} value={progress.done} aria-hidden />
    </p>
  )
}

function SlotCell({ slot }: { slot: Slot }) {
  const { t } = useTranslation()
  const isAlive = slot.pid != null && slot.started_at != null
  return (
    <Link
      to="/daemons/$jobId/$agentId/$index"
      params={{ jobId: slot.job_id, agentId: slot.agent_id, index: String(slot.index) }}
      search={{}}
      className={classes.slot}
      style={{ '--tone': `var(--${slotTone[slot.state]})` } as React.CSSProperties}
    >
      <span className={classes.slotHead}>
        <span className="faint">#{slot.index}</span>
        <span className={classes.state}>
          <SlotIcon state={slot.state} size={13} />
          {t(`slot.${slot.state}`)}
        </span>
      </span>
      <span className={classes.slotFoot}>
        <span>
          {isAlive ? <Since at={slot.started_at ?? ''} /> : slot.since ? <Since at={slot.since} /> : '–'}
        </span>
        <span className="faint">
          {slot.pid != null && <>pid {slot.pid}</>}
          {slot.restarts > 0 && <span title={t('daemons.restarts')}> ↻{slot.restarts}</span>}
        </span>
      </span>
      <Outlook slot={slot} />
    </Link>
  )
}

/** What is not as it should be or about to change: a bad answer, the next step. */
function Outlook({ slot }: { slot: Slot }) {
  const { t } = useTranslation()
  const isIll = slot.probe != null && !slot.probe.is_ok
  const step = slot.next_step === 'recycle' || slot.next_step === 'start' ? undefined : slot.next_step
  if (!isIll && !step) return null
  return (
    <span className={classes.outlook}>
      {isIll && slot.probe && (
        <span className={classes.ill} title={probeWords(slot.probe, t)}>
          {probeWords(slot.probe, t)}
        </span>
      )}
      {step && (
        <span>
          {t(`next.${step}`)} {slot.next_at && <Ago at={slot.next_at} />}
        </span>
      )}
    </span>
  )
}

/** Why slots are not running: how the last process ended and what it said last. */
function Evidence({ slots }: { slots: readonly Slot[] }) {
  const { t } = useTranslation()
  const ill = slots.filter((slot) => slot.state === 'crash_loop' || slot.state === 'backoff')
  if (ill.length === 0) return null
  return (
    <ul className={classes.evidence}>
      {ill.map((slot) => (
        <li key={slot.index}>
          <p className={classes.evidenceHead}>
            <SlotMark state={slot.state} />
            <span className="faint">#{slot.index}</span>
            {slot.last_end && <span>{t('daemons.ended', { how: endWords(slot.last_end, t) })}</span>}
            {slot.retry_at && <NextTry at={slot.retry_at} />}
          </p>
          {slot.last_output && <Code className={classes.lastOutput}>{plain(slot.last_output)}</Code>}
        </li>
      ))}
    </ul>
  )
}

function NextTry({ at }: { at: string }) {
  const { t } = useTranslation()
  return (
    <span className="dim">
      {t('daemons.nextTry')} <Ago at={at} />
    </span>
  )
}
