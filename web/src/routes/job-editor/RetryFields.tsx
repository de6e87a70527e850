import { NumberInput, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { SpanInput } from '../../ui/SpanInput'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

/** Whether, when and after what a run is tried again. */
export function RetryFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const { retry } = draft
  const change = (part: Partial<typeof retry>) => set({ retry: { ...retry, ...part } })
  const [text, setText] = useState(retry.failures.join(', '))
  return (
    <>
      <div className={classes.triple}>
        <NumberInput
          label={t('field.scheduled_retry_attempts_max')}
          value={retry.attempts_max}
          min={1}
          max={20}
          allowDecimal={false}
          onChange={(value) => change({ attempts_max: Number(value) || 1 })}
          error={errorAt('scheduled.retry.attempts_max')}
        />
        {retry.attempts_max > 1 && (
          <>
            <SpanInput
              label={t('field.scheduled_retry_backoff_initial_ms')}
              value={retry.backoff_initial_ms}
              onChange={(ms) => ms !== undefined && change({ backoff_initial_ms: ms })}
              error={errorAt('scheduled.retry.backoff_initial_ms')}
            />
            <SpanInput
              label={t('field.scheduled_retry_backoff_max_ms')}
              value={retry.backoff_max_ms}
              onChange={(ms) => ms !== undefined && change({ backoff_max_ms: ms })}
              error={errorAt('scheduled.retry.backoff_max_ms')}
            />
          </>
        )}
      </div>
      {retry.attempts_max > 1 && (
        <TextInput
          label={t('field.scheduled_retry_failures')}
          description={t('editor.retryFailuresHint')}
          placeholder={t('editor.retryEveryFailure')}
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value)
            change({ failures: event.currentTarget.value.split(/[\s,，、]+/).filter((word) => word !== '') })
          }}
          onBlur={() => setText(retry.failures.join(', '))}
          error={errorAt('scheduled.retry.failures')}
        />
      )}
    </>
  )
}
