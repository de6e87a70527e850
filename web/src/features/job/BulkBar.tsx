import { Button, Menu } from '@mantine/core'
import {
  IconChevronDown,
  IconPencil,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerTrackNext,
  IconTrash,
  IconX,
  IconZzz,
} from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { JobSelection } from '../../api/types'
import { canAnywhere, useMe } from '../session/useMe'
import classes from './Bulk.module.css'
import { type BulkAction, BulkDialog } from './BulkDialog'
import type { Chosen } from './selection'

interface BulkBarProps {
  chosen: Chosen
  selection: JobSelection
  /** Rows that are loaded, and whether there are more. */
  loaded: number
  hasMore: boolean
}

/** What can be done with the chosen jobs. */
export function BulkBar({ chosen, selection, loaded, hasMore }: BulkBarProps) {
  const { t } = useTranslation()
  const me = useMe()
  const [action, setAction] = useState<BulkAction>()
  const isSome = chosen.count !== undefined
  const button = (which: BulkAction, icon: React.ReactNode) => (
    <Button variant="default" size="compact-sm" leftSection={icon} onClick={() => setAction(which)}>
      {t(`bulk.action.${which}`)}
    </Button>
  )
  return (
    <div className={classes.bar} role="toolbar" aria-label={t('bulk.label')}>
      <span className={classes.count} role="status">
        {isSome ? t('bulk.chosen', { count: chosen.count }) : t('bulk.chosenAll')}
      </span>
      {isSome && (hasMore || (chosen.count ?? 0) < loaded) && (
        <Button variant="subtle" size="compact-sm" onClick={chosen.chooseAll}>
          {t('bulk.chooseAll')}
        </Button>
      )}
      {button('run', <IconPlayerTrackNext size={14} />)}
      {button('pause', <IconPlayerPause size={14} />)}
      {button('resume', <IconPlayerPlay size={14} />)}
      <Menu position="bottom-start" width={200}>
        <Menu.Target>
          <Button variant="default" size="compact-sm" rightSection={<IconChevronDown size={14} />}>
            {t('bulk.more')}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconZzz size={15} />} onClick={() => setAction('snooze')}>
            {t('bulk.action.snooze')}
          </Menu.Item>
          <Menu.Item leftSection={<IconPlayerPlay size={15} />} onClick={() => setAction('unsnooze')}>
            {t('bulk.action.unsnooze')}
          </Menu.Item>
          {canAnywhere(me, 'editor') && (
            <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => setAction('set')}>
              {t('bulk.action.set')}
            </Menu.Item>
          )}
          {canAnywhere(me, 'owner') && (
            <Menu.Item color="red" leftSection={<IconTrash size={15} />} onClick={() => setAction('delete')}>
              {t('bulk.action.delete')}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      <Button
        variant="subtle"
        color="gray"
        size="compact-sm"
        leftSection={<IconX size={14} />}
        onClick={chosen.clear}
      >
        {t('bulk.clear')}
      </Button>
      {action && (
        <BulkDialog
          action={action}
          selection={selection}
          onClose={() => setAction(undefined)}
          onDone={() => {
            setAction(undefined)
            chosen.clear()
          }}
        />
      )}
    </div>
  )
}
