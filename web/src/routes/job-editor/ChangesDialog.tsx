import { Button, Group, Modal } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { JobSpec } from '../../api/types'
import { SpecChanges } from '../../features/job/SpecChanges'

interface ChangesDialogProps {
  isOpen: boolean
  before: JobSpec
  after: JobSpec
  /** Somebody saved this version meanwhile; the comparison is with it. */
  conflictVersion: number | undefined
  isSaving: boolean
  onSave: () => void
  onClose: () => void
}

/** What will change, before it is saved. */
export function ChangesDialog(props: ChangesDialogProps) {
  const { t } = useTranslation()
  return (
    <Modal
      opened={props.isOpen}
      onClose={props.onClose}
      title={t('editor.changesTitle', { job: props.before.name })}
      size={720}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      {props.conflictVersion !== undefined && (
        <p role="alert" style={{ color: 'var(--missed)', marginBottom: 10 }}>
          {t('editor.conflict', { version: props.conflictVersion })}
        </p>
      )}
      <SpecChanges before={props.before} after={props.after} />
      <Group gap={8} mt={18} justify="flex-end">
        <Button variant="default" onClick={props.onClose}>
          {t('editor.back')}
        </Button>
        <Button onClick={props.onSave} loading={props.isSaving} data-autofocus>
          {t('editor.saveVersion')}
        </Button>
      </Group>
    </Modal>
  )
}
