import { NumberInput, SegmentedControl } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { CatchUpPolicy } from '../../api/types'
import { SpanInput } from '../../ui/SpanInput'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

const POLICIES: CatchUpPolicy[] = ['none', 'latest', 'all']

/** What becomes of due times that passed while no center was up to plan them. */
export function CatchUpFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const { catchUp } = draft
  const choose = (word: string) => {
    const policy = POLICIES.find((each) => each === word)
    if (policy) set({ catchUp: { ...catchUp, policy } })
  }
  return (
    <>
      <div>
        <div className={classes.label}>{t('field.scheduled_catch_up')}</div>
        <SegmentedControl
          aria-label={t('field.scheduled_catch_up')}
          value={catchUp.policy}
          onChange={choose}
          data={POLICIES.map((policy) => ({ value: policy, label: t(`catchUp.${policy}`) }))}
        />
        {errorAt('scheduled.catch_up.policy') && (
          <p className="danger">{errorAt('scheduled.catch_up.policy')}</p>
        )}
        {catchUp.policy !== 'none' && <p className="dim">{t(`catchUp.${catchUp.policy}Text`)}</p>}
      </div>
      {catchUp.policy === 'all' && (
        <div className={classes.pair}>
          <NumberInput
            label={t('field.scheduled_catch_up_max')}
            value={catchUp.max}
            min={1}
            max={100}
            allowDecimal={false}
            clampBehavior="blur"
            onChange={(value) => set({ catchUp: { ...catchUp, max: Number(value) || 1 } })}
            error={errorAt('scheduled.catch_up.max')}
          />
          <SpanInput
            label={t('field.scheduled_catch_up_window_ms')}
            value={catchUp.window_ms}
            onChange={(ms) => ms !== undefined && set({ catchUp: { ...catchUp, window_ms: ms } })}
            error={errorAt('scheduled.catch_up.window_ms')}
          />
        </div>
      )}
    </>
  )
}
