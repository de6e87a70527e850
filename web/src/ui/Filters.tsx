import { CloseButton, Select, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

interface SearchBoxProps {
  value: string
  onChange: (value: string) => void
  label: string
  width?: number
  onKeyDown?: (event: KeyboardEvent) => void
}

/** A search field that `/` focuses. Writes to the URL a moment after the last key, or when it is left. */
export function SearchBox({ value, onChange, label, width = 240, onKeyDown }: SearchBoxProps) {
  const { t } = useTranslation()
  const [text, setText] = useState(value)
  const sent = useRef(value)
  const send = useDebouncedCallback((next: string) => {
    sent.current = next
    onChange(next)
  }, 250)
  useEffect(() => {
    // Back and forward change the URL from outside; the echo of our own change must not undo what was typed since.
    if (value !== sent.current) {
      sent.current = value
      setText(value)
    }
  }, [value])
  const change = (next: string) => {
    setText(next)
    send(next)
  }
  return (
    <TextInput
      type="search"
      data-search
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={(event) => change(event.currentTarget.value)}
      onBlur={() => send.flush()}
      onKeyDown={onKeyDown}
      leftSection={<IconSearch size={14} />}
      rightSection={
        text ? <CloseButton size="xs" aria-label={t('common.clear')} onClick={() => change('')} /> : undefined
      }
      w={width}
    />
  )
}

interface FilterProps {
  label: string
  value: string | undefined
  options: readonly { value: string; label: string }[]
  onChange: (value: string | undefined) => void
  width?: number
}

/** One filter of a list; empty means all. */
export function Filter({ label, value, options, onChange, width = 150 }: FilterProps) {
  const { t } = useTranslation()
  return (
    <Select
      aria-label={label}
      placeholder={label}
      data={options.slice()}
      value={value ?? null}
      onChange={(next) => onChange(next ?? undefined)}
      clearable
      clearButtonProps={{ 'aria-label': t('common.clear') }}
      searchable={options.length > 8}
      nothingFoundMessage={t('common.nothing')}
      checkIconPosition="right"
      w={width}
    />
  )
}
