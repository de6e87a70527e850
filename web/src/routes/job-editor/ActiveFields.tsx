import { useTranslation } from 'react-i18next'
import { viewerZone } from '../../lib/time'
import { InstantInput } from '../../ui/InstantInput'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

/** From when until when a job is due at all. */
export function ActiveFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const zone = viewerZone()
  return (
    <div className={classes.pair}>
      <InstantInput
        label={t('field.scheduled_active_from')}
        description={t('editor.activeFromText', { zone })}
        value={draft.activeFrom}
        onChange={(activeFrom) => set({ activeFrom })}
        error={errorAt('scheduled.active_from')}
      />
      <InstantInput
        label={t('field.scheduled_active_until')}
        description={t('editor.activeUntilText', { zone })}
        value={draft.activeUntil}
        onChange={(activeUntil) => set({ activeUntil })}
        error={errorAt('scheduled.active_until')}
      />
    </div>
  )
}
