import { NumberInput, SegmentedControl, Select } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Pick, TargetMode } from '../../api/types'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

const MODES: TargetMode[] = ['each', 'any']
const PICKS: Pick[] = ['fewest_running', 'least_load', 'round_robin', 'sticky', 'hash']

/** On which of the chosen agents a scheduled job runs. */
export function TargetFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  return (
    <>
      <div>
        <div className={classes.label}>{t('field.target_mode')}</div>
        <SegmentedControl
          aria-label={t('field.target_mode')}
          value={draft.targetMode}
          onChange={(word) => set({ targetMode: MODES.find((each) => each === word) ?? 'each' })}
          data={MODES.map((mode) => ({ value: mode, label: t(`targetMode.${mode}`) }))}
        />
        {draft.targetMode === 'any' && <p className="dim">{t('targetMode.anyText')}</p>}
      </div>
      {draft.targetMode === 'any' && (
        <div className={classes.pair}>
          <NumberInput
            label={t('field.target_count')}
            value={draft.targetCount}
            min={1}
            max={10_000}
            allowDecimal={false}
            clampBehavior="blur"
            onChange={(value) => set({ targetCount: Number(value) || 1 })}
            error={errorAt('target.count')}
          />
          <Select
            label={t('field.target_pick')}
            value={draft.pick}
            allowDeselect={false}
            data={PICKS.map((pick) => ({ value: pick, label: t(`pick.${pick}`) }))}
            onChange={(word) => set({ pick: PICKS.find((each) => each === word) ?? 'fewest_running' })}
            error={errorAt('target.pick')}
          />
        </div>
      )}
    </>
  )
}
