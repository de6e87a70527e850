import type { TFunction } from 'i18next'
import type { Agent } from '../../api/types'

const MODES = ['unified', 'hybrid', 'legacy', 'none'] as const

/** Which control groups an agent can use, in a word; a mode of a newer agent stays as it is. */
export function cgroupMode(agent: Agent, t: TFunction): string {
  const mode = agent.cgroups?.mode
  const known = MODES.find((each) => each === mode)
  return known ? t(`cgroups.${known}`) : (mode ?? t('cgroups.unknown'))
}

/** What they are good for there: killing, and limits. */
export function cgroupText(agent: Agent, t: TFunction): string {
  const cgroups = agent.cgroups
  if (!cgroups) return cgroupMode(agent, t)
  const kill = cgroups.kill_means === 'descent' ? t('cgroups.killsByDescent') : t('cgroups.killsGroups')
  const limits =
    cgroups.controllers.length > 0
      ? t('cgroups.limits', { list: cgroups.controllers.join(', ') })
      : t('cgroups.noLimits')
  return [cgroupMode(agent, t), kill, limits].join(' · ')
}
