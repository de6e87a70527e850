import { useQuery } from '@tanstack/react-query'
import { agentsQuery } from '../../api/agents'
import type { Agent, Target } from '../../api/types'

/** The agents that the user may see as choices of a filter. */
export function useAgentOptions(): { value: string; label: string }[] {
  return (useQuery(agentsQuery()).data ?? [])
    .filter((agent) => agent.state !== 'pending')
    .map((agent) => ({ value: agent.id, label: agent.name }))
}

/** Names of the agents that the user may see, by id. */
export function useAgentNames(): ReadonlyMap<string, string> {
  return new Map((useQuery(agentsQuery()).data ?? []).map((agent) => [agent.id, agent.name]))
}

/** The agents that a target matches now: active ones that serve the group. */
export function useTargets(groupId: string, target: Target): Agent[] | undefined {
  const agents = useQuery(agentsQuery({ group: groupId })).data
  return agents?.filter(
    (agent) => agent.state === 'active' && (target.all || (target.agent_ids ?? []).includes(agent.id)),
  )
}
