import { NumberInput, SegmentedControl } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Overlap } from '../../api/types'
import { startDeadlineDefault } from '../../features/job/spec'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

const POLICIES: Overlap[] = ['forbid', 'allow', 'queue', 'replace']

/** What happens when a run is due while the previous one is alive. */
export function OverlapFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const choose = (word: string) => {
    const overlap = POLICIES.find((each) => each === word)
    if (!overlap) return
    const isDefault = draft.startDeadlineMs === startDeadlineDefault(draft.overlap)
    set(isDefault ? { overlap, startDeadlineMs: startDeadlineDefault(overlap) } : { overlap })
  }
  return (
    <>
      <div>
        <div className={classes.label}>{t('field.scheduled_overlap')}</div>
        <SegmentedControl
          aria-label={t('field.scheduled_overlap')}
          value={draft.overlap}
          onChange={choose}
          data={POLICIES.map((policy) => ({ value: policy, label: t(`overlap.${policy}`) }))}
        />
        {(draft.overlap === 'queue' || draft.overlap === 'replace') && (
          <p className="dim">{t(`overlap.${draft.overlap}Text`)}</p>
        )}
      </div>
      {draft.overlap === 'queue' && (
        <div className={classes.pair}>
          <NumberInput
            label={t('field.scheduled_queue_max')}
            value={draft.queueMax}
            min={1}
            max={100}
            allowDecimal={false}
            clampBehavior="blur"
            onChange={(value) => set({ queueMax: Number(value) || 1 })}
            error={errorAt('scheduled.queue_max')}
          />
        </div>
      )}
    </>
  )
}
