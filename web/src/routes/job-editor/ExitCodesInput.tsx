import { TextInput } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

interface ExitCodesInputProps {
  value: readonly number[]
  onChange: (codes: number[]) => void
  error?: ReactNode
}

/** Exit statuses, typed as `0, 3`. */
export function ExitCodesInput({ value, onChange, error }: ExitCodesInputProps) {
  const { t } = useTranslation()
  const [text, setText] = useState(value.join(', '))
  return (
    <TextInput
      label={t('field.daemon_expected_exit_codes')}
      value={text}
      inputMode="numeric"
      onChange={(event) => {
        const typed = event.currentTarget.value.replace(/[^\d, ]/g, '')
        setText(typed)
        onChange(
          typed
            .split(/[ ,]+/)
            .filter((word) => word !== '')
            .map(Number)
            .filter((code) => code <= 255),
        )
      }}
      onBlur={() => setText(value.join(', '))}
      error={error}
    />
  )
}
