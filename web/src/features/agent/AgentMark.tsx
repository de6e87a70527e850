import { IconBan, IconCircleDashed, IconCircleFilled, IconHourglassHigh } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { Agent } from '../../api/types'
import { Mark } from '../../ui/Mark'

/** Whether an agent works and is in reach: icon, word, colour. */
export function AgentMark({
  agent,
  isSoft,
}: {
  agent: Pick<Agent, 'state' | 'is_online'>
  isSoft?: boolean
}) {
  const { t } = useTranslation()
  if (agent.state === 'pending') {
    return (
      <Mark tone="missed" icon={<IconHourglassHigh size={14} />} isSoft={isSoft}>
        {t('agents.state.pending')}
      </Mark>
    )
  }
  if (agent.state === 'revoked') {
    return (
      <Mark tone="skipped" icon={<IconBan size={14} />} isSoft={isSoft}>
        {t('agents.state.revoked')}
      </Mark>
    )
  }
  return <OnlineMark isOnline={agent.is_online} isSoft={isSoft} />
}

export function OnlineMark({ isOnline, isSoft }: { isOnline: boolean; isSoft?: boolean }) {
  const { t } = useTranslation()
  return isOnline ? (
    <Mark tone="succeeded" icon={<IconCircleFilled size={9} style={{ margin: '0 2px' }} />} isSoft={isSoft}>
      {t('agents.online')}
    </Mark>
  ) : (
    <Mark tone="failed" icon={<IconCircleDashed size={13} />} isSoft={isSoft}>
      {t('agents.offline')}
    </Mark>
  )
}
