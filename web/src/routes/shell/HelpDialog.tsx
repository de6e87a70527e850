import { Kbd, Modal } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import classes from './HelpDialog.module.css'

const KEYS = [
  { keys: ['Ctrl', 'K'], name: 'palette' },
  { keys: ['/'], name: 'search' },
  { keys: ['n'], name: 'create' },
  { keys: ['g', 'j'], name: 'jobs' },
  { keys: ['g', 'r'], name: 'runs' },
  { keys: ['g', 'd'], name: 'daemons' },
  { keys: ['g', 'a'], name: 'agents' },
  { keys: ['g', 'u'], name: 'groups' },
  { keys: ['?'], name: 'help' },
] as const

/** The keys that work on every page. */
export function HelpDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation()
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title={t('shell.shortcuts')}
      size="sm"
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <dl className={classes.keys}>
        {KEYS.map((entry) => (
          <div key={entry.name}>
            <dt>{t(`shortcut.${entry.name}`)}</dt>
            <dd>
              {entry.keys.map((key) => (
                <Kbd key={key} size="xs">
                  {key}
                </Kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Modal>
  )
}
