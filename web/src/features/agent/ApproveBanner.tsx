import { Button, Modal, MultiSelect } from '@mantine/core'
import { IconHourglassHigh } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { approveAgent } from '../../api/agents'
import { errorText } from '../../api/error'
import type { Agent } from '../../api/types'
import { Facts } from '../../ui/Facts'
import { notifyDone } from '../../ui/notify'
import { At } from '../../ui/Time'
import { useGroupOptions } from '../group/useGroups'
import classes from './ApproveBanner.module.css'

/** Agents that have joined and wait to be let in. */
export function ApproveBanner({ agents }: { agents: readonly Agent[] }) {
  const { t } = useTranslation()
  const [chosen, setChosen] = useState<Agent>()
  if (agents.length === 0) return null
  return (
    <section className={classes.banner} aria-label={t('agents.waiting', { count: agents.length })}>
      <IconHourglassHigh size={15} aria-hidden />
      <span className={classes.text}>{t('agents.waiting', { count: agents.length })}</span>
      {agents.slice(0, 8).map((agent) => (
        <Button key={agent.id} variant="default" size="compact-xs" onClick={() => setChosen(agent)}>
          {t('agents.approve.open', { agent: agent.name })}
        </Button>
      ))}
      {chosen && <ApproveDialog agent={chosen} onClose={() => setChosen(undefined)} />}
    </section>
  )
}

/** Lets one agent in, after a look at its key. */
export function ApproveDialog({ agent, onClose }: { agent: Agent; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const groups = useGroupOptions()
  const [groupIds, setGroupIds] = useState(agent.group_ids)
  const approve = useMutation({
    mutationFn: () => approveAgent(agent.id, groupIds),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['agents'] })
      notifyDone(t('agents.approve.done', { agent: agent.name }))
      onClose()
    },
  })
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('agents.approve.title', { agent: agent.name })}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <p className="dim">{t('agents.approve.text')}</p>
      <div className={classes.facts}>
        <Facts
          items={[
            [t('agents.hostname'), agent.hostname],
            [t('agents.os'), agent.os],
            [t('agents.joined'), <At key="joined" at={agent.joined_at} />],
            [t('agents.key'), <Fingerprint key="key" text={agent.key_fingerprint} />],
          ]}
        />
      </div>
      <MultiSelect
        label={t('agents.serves')}
        data={groups}
        value={groupIds}
        onChange={setGroupIds}
        searchable
        placeholder={groupIds.length === 0 ? t('agents.noGroup') : undefined}
      />
      {approve.error && (
        <p role="alert" className="danger" style={{ marginTop: 10 }}>
          {errorText(approve.error)}
        </p>
      )}
      <div className={classes.buttons}>
        <Button variant="default" onClick={onClose}>
          {t('common.cancel')}
        </Button>
        <Button loading={approve.isPending} onClick={() => approve.mutate()}>
          {t('agents.approve.action')}
        </Button>
      </div>
    </Modal>
  )
}

/** A fingerprint in groups of four, as people compare them. */
export function Fingerprint({ text }: { text: string }) {
  return <code style={{ overflowWrap: 'anywhere' }}>{text.match(/.{1,4}/g)?.join(' ') ?? text}</code>
}
