import { Modal } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { BulkChange, JobSelection } from '../../api/types'
import { BulkPlanView } from './BulkPlanView'
import { BulkSetForm } from './BulkSetForm'
import { BulkSnoozeForm } from './BulkSnoozeForm'

/** What can be done with many jobs. */
export type BulkAction = BulkChange['action']

interface BulkDialogProps {
  action: BulkAction
  selection: JobSelection
  onClose: () => void
  onDone: () => void
}

/** Asks what is needed, shows what would be done with each of the jobs, and does it. */
export function BulkDialog({ action, selection, onClose, onDone }: BulkDialogProps) {
  const { t } = useTranslation()
  const [change, setChange] = useState<BulkChange | undefined>(() => plain(action))
  return (
    <Modal
      opened
      onClose={onClose}
      title={t(`bulk.title.${action}`)}
      size="lg"
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      {change ? (
        <BulkPlanView
          change={change}
          onChange={setChange}
          selection={selection}
          onDone={onDone}
          onClose={onClose}
        />
      ) : action === 'snooze' ? (
        <BulkSnoozeForm onSubmit={(until) => setChange({ action, until })} />
      ) : (
        <BulkSetForm onSubmit={(fields) => setChange({ action: 'set', fields })} />
      )}
    </Modal>
  )
}

/** The change that needs nothing more to be known. */
function plain(action: BulkAction): BulkChange | undefined {
  switch (action) {
    case 'snooze':
    case 'set':
      return undefined
    case 'run':
      return { action, ignore_windows: false }
    case 'pause':
    case 'resume':
    case 'delete':
    case 'unsnooze':
      return { action }
    default:
      return action satisfies never
  }
}
