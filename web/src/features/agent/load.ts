import type { Agent } from '../../api/types'

/** Colour of a load: quiet until there is more work than processors. */
export function loadTone(agent: Pick<Agent, 'load_1m' | 'cpu_count'>): string | undefined {
  if (agent.load_1m > 2 * agent.cpu_count) return 'var(--failed)'
  if (agent.load_1m > agent.cpu_count) return 'var(--missed)'
  return undefined
}
