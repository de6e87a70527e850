import { Button, Group, Stack } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { InstantInput } from '../../ui/InstantInput'
import { SNOOZE_PRESETS } from './SnoozeDialog'

/** Until when jobs rest. */
export function BulkSnoozeForm({ onSubmit }: { onSubmit: (until: string) => void }) {
  const { t } = useTranslation()
  const [until, setUntil] = useState<string>()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (until) onSubmit(until)
  }
  return (
    <form onSubmit={submit}>
      <Stack gap={14}>
        <p className="dim">{t('snooze.text')}</p>
        <Group gap={8}>
          {SNOOZE_PRESETS.map(([word, length]) => (
            <Button
              key={word}
              variant="default"
              size="compact-sm"
              onClick={() => setUntil(new Date(Date.now() + length).toISOString())}
            >
              {t(`snooze.preset.${word}`)}
            </Button>
          ))}
        </Group>
        <InstantInput label={t('snooze.until')} value={until} onChange={setUntil} />
        <Button type="submit" disabled={!until} style={{ alignSelf: 'flex-end' }}>
          {t('bulk.look')}
        </Button>
      </Stack>
    </form>
  )
}
