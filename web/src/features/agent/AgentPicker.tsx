import { MultiSelect, SegmentedControl } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { agentsQuery } from '../../api/agents'
import type { Agent } from '../../api/types'
import { AgentMark } from './AgentMark'
import classes from './AgentPicker.module.css'

interface AgentPickerProps {
  groupId: string
  isEvery: boolean
  agentIds: readonly string[]
  onChange: (isEvery: boolean, agentIds: string[]) => void
  error?: string
}

/** Where a job runs: every agent of its group, or chosen ones; below, those that match now and whether they are in reach. */
export function AgentPicker({ groupId, isEvery, agentIds, onChange, error }: AgentPickerProps) {
  const { t } = useTranslation()
  const query = useQuery({ ...agentsQuery({ group: groupId }), enabled: groupId !== '' })
  const agents = (query.data ?? []).filter((agent) => agent.state === 'active')
  const matching = isEvery ? agents : agents.filter((agent) => agentIds.includes(agent.id))
  const gone = query.data ? agentIds.filter((id) => !agents.some((agent) => agent.id === id)) : []
  return (
    <div className={classes.picker}>
      <SegmentedControl
        aria-label={t('editor.where')}
        value={isEvery ? 'every' : 'chosen'}
        onChange={(value) =>
          onChange(value === 'every', value === 'every' ? [] : agents.map((agent) => agent.id))
        }
        data={[
          { value: 'every', label: t('editor.everyAgent') },
          { value: 'chosen', label: t('editor.chosenAgents') },
        ]}
        className={classes.mode}
      />
      {!isEvery && (
        <MultiSelect
          aria-label={t('editor.chosenAgents')}
          placeholder={agentIds.length === 0 ? t('editor.chooseAgents') : undefined}
          data={[
            ...agents.map((agent) => ({ value: agent.id, label: agent.name })),
            ...gone.map((id) => ({ value: id, label: t('editor.goneAgent', { id: id.slice(0, 8) }) })),
          ]}
          value={agentIds.slice()}
          onChange={(ids) => onChange(false, ids)}
          searchable
          clearable
          clearButtonProps={{ 'aria-label': t('common.clear') }}
          nothingFoundMessage={t('common.nothing')}
          error={error}
        />
      )}
      {isEvery && error && <p className="danger">{error}</p>}
      {query.data && <Matching agents={matching} isEvery={isEvery} />}
    </div>
  )
}

function Matching({ agents, isEvery }: { agents: readonly Agent[]; isEvery: boolean }) {
  const { t } = useTranslation()
  const online = agents.filter((agent) => agent.is_online).length
  return (
    <div className={classes.matching}>
      <p className={agents.length === 0 ? classes.none : 'dim'}>
        {agents.length === 0
          ? t('editor.noAgents')
          : `${t('editor.matching', { count: agents.length })} ${t('editor.matchingOnline', { online })}`}
        {isEvery && agents.length > 0 && ` ${t('editor.futureAgents')}`}
      </p>
      <ul className={classes.agents}>
        {agents.slice(0, 60).map((agent) => (
          <li key={agent.id}>
            <span className="clip">{agent.name}</span>
            <AgentMark agent={agent} />
          </li>
        ))}
        {agents.length > 60 && (
          <li className="dim">{t('editor.moreAgents', { count: agents.length - 60 })}</li>
        )}
      </ul>
    </div>
  )
}
