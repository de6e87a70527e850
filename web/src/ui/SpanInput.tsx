import { TextInput } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatSpan, parseSpan } from '../lib/span'

interface SpanInputProps {
  label: ReactNode
  description?: ReactNode
  /** Milliseconds; `undefined` is the empty field. */
  value: number | undefined
  onChange: (value: number | undefined) => void
  /** What an empty field means; without it the field must not be empty. */
  emptyMeans?: string
  error?: ReactNode
}

/** A span of time, typed as `90s`, `5m`, `1h 30m`. */
export function SpanInput({ label, description, value, onChange, emptyMeans, error }: SpanInputProps) {
  const { t } = useTranslation()
  const written = value === undefined ? '' : formatSpan(value)
  const [text, setText] = useState(written)
  const [isWrong, setWrong] = useState(false)
  useEffect(() => {
    setText((old) => ((old.trim() === '' ? undefined : parseSpan(old)) === value ? old : written))
  }, [value, written])
  const change = (next: string) => {
    setText(next)
    if (next.trim() === '' && emptyMeans !== undefined) {
      setWrong(false)
      onChange(undefined)
      return
    }
    const ms = parseSpan(next)
    setWrong(ms === undefined)
    if (ms !== undefined) onChange(ms)
  }
  return (
    <TextInput
      label={label}
      description={description}
      placeholder={emptyMeans ?? '90s, 5m, 1h 30m'}
      value={text}
      onChange={(event) => change(event.currentTarget.value)}
      onBlur={() => {
        if (!isWrong) setText(written)
      }}
      error={isWrong ? t('common.spanWrong') : error}
    />
  )
}
