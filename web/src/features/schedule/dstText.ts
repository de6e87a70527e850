import type { TFunction } from 'i18next'
import type { DstPolicy } from '../../api/types'

/** What a job does when clocks change; nothing if it follows the rule of cron. */
export function dstText(policy: DstPolicy | undefined, t: TFunction): string | undefined {
  const said = [
    policy?.gap && t(`dstPolicy.said.${policy.gap}`),
    policy?.overlap && t(`dstPolicy.said.${policy.overlap}`),
  ].filter(Boolean)
  return said.join(' · ') || undefined
}
