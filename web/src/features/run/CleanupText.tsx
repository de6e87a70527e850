import { useTranslation } from 'react-i18next'
import type { Cleanup } from '../../api/types'

/** What was found, what was sent, who is left. */
export function CleanupText({ cleanup }: { cleanup: Cleanup }) {
  const { t } = useTranslation()
  const isKnown = (means: string): means is 'control_group' | 'freezer' | 'descent' =>
    ['control_group', 'freezer', 'descent'].includes(means)
  const means = cleanup.kill_means
  const parts = [
    t('cleanup.found', { count: cleanup.found }),
    cleanup.stop_signal && t('cleanup.sent', { signal: `SIG${cleanup.stop_signal.replace(/^SIG/, '')}` }),
    means && (isKnown(means) ? t(`cleanup.${means}`) : means),
  ]
  return (
    <span>
      {parts.filter(Boolean).join(' · ')}
      {' · '}
      <span style={cleanup.left > 0 ? { color: 'var(--failed)', fontWeight: 600 } : undefined}>
        {cleanup.left > 0 ? t('cleanup.left', { count: cleanup.left }) : t('cleanup.noneLeft')}
      </span>
    </span>
  )
}
