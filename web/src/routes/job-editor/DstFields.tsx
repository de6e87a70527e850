import { Select } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

const RULE = 'rule'

/** What becomes of times that clocks skip or show twice. */
export function DstFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const { dst } = draft
  return (
    <div className={classes.pair}>
      <Select
        label={t('field.scheduled_dst_gap')}
        data={[
          { value: RULE, label: t('dstPolicy.rule') },
          { value: 'run', label: t('dstPolicy.gap.run') },
          { value: 'skip', label: t('dstPolicy.gap.skip') },
        ]}
        value={dst.gap ?? RULE}
        allowDeselect={false}
        onChange={(word) => set({ dst: { ...dst, gap: word === 'run' || word === 'skip' ? word : null } })}
        error={errorAt('scheduled.dst')}
      />
      <Select
        label={t('field.scheduled_dst_overlap')}
        data={[
          { value: RULE, label: t('dstPolicy.rule') },
          { value: 'first', label: t('dstPolicy.overlap.first') },
          { value: 'both', label: t('dstPolicy.overlap.both') },
        ]}
        value={dst.overlap ?? RULE}
        allowDeselect={false}
        onChange={(word) =>
          set({ dst: { ...dst, overlap: word === 'first' || word === 'both' ? word : null } })
        }
      />
    </div>
  )
}
