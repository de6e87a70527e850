import { Tooltip } from '@mantine/core'
import { IconBolt, IconMoon, IconPlugConnected, IconRefreshAlert } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { type Connection, useConnection } from '../../api/events'
import classes from './ConnectionMark.module.css'

const icons = {
  live: IconBolt,
  connecting: IconPlugConnected,
  polling: IconRefreshAlert,
  asleep: IconMoon,
} satisfies Record<Connection, unknown>

/** Whether what is shown is up to date. */
export function ConnectionMark({ isFolded }: { isFolded: boolean }) {
  const { t } = useTranslation()
  const connection = useConnection()
  const Icon = icons[connection]
  return (
    <Tooltip label={t(`connection.${connection}.text`)} position="right" multiline maw={260}>
      <div className={classes.mark} data-state={connection} data-folded={isFolded || undefined} role="status">
        <Icon size={14} aria-hidden />
        <span className={isFolded ? 'sr' : undefined}>{t(`connection.${connection}.word`)}</span>
      </div>
    </Tooltip>
  )
}
