import { Button, Popover, Stack, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconCalendar, IconChevronDown } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { now } from '../../lib/now'
import { compactTime, DAY, HOUR } from '../../lib/time'

interface TimeRangeProps {
  from: string | undefined
  to: string | undefined
  onChange: (from: string | undefined, to: string | undefined) => void
  /** What neither end means; any time when absent. */
  emptyMeans?: string
}

const PRESETS = [
  { key: 'hour', ms: HOUR },
  { key: 'day', ms: DAY },
  { key: 'week', ms: 7 * DAY },
  { key: 'month', ms: 30 * DAY },
] as const

/** From when to when, in the viewer's zone. */
export function TimeRange({ from, to, onChange, emptyMeans }: TimeRangeProps) {
  const { t, i18n } = useTranslation()
  const [isOpen, open] = useDisclosure(false)
  const text = (at: string) => compactTime(at, now(), i18n.language)
  const label =
    from || to
      ? `${from ? text(from) : '…'} – ${to ? text(to) : t('time.now')}`
      : (emptyMeans ?? t('time.any'))
  return (
    <Popover opened={isOpen} onChange={(next) => (next ? open.open() : open.close())} shadow="sm" trapFocus>
      <Popover.Target>
        <Button
          variant="default"
          fw={400}
          leftSection={<IconCalendar size={14} />}
          rightSection={<IconChevronDown size={13} />}
          onClick={open.toggle}
          aria-label={t('time.range')}
        >
          {label}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap={8}>
          <Button.Group>
            {PRESETS.map((preset) => (
              <Button
                key={preset.key}
                variant="default"
                size="compact-xs"
                onClick={() =>
                  onChange(new Date(Math.floor(now() / 1_000) * 1_000 - preset.ms).toISOString(), undefined)
                }
              >
                {t(`time.last.${preset.key}`)}
              </Button>
            ))}
          </Button.Group>
          <TextInput
            type="datetime-local"
            step={1}
            label={t('time.from')}
            value={toLocal(from)}
            onChange={(event) => onChange(fromLocal(event.currentTarget.value), to)}
          />
          <TextInput
            type="datetime-local"
            step={1}
            label={t('time.to')}
            value={toLocal(to)}
            onChange={(event) => onChange(from, fromLocal(event.currentTarget.value))}
          />
          <Button variant="subtle" size="compact-xs" onClick={() => onChange(undefined, undefined)}>
            {emptyMeans ?? t('time.any')}
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}

/** An instant as the local date and time that the browser's field wants. */
function toLocal(at: string | undefined): string {
  if (!at) return ''
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return ''
  const two = (part: number) => String(part).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function fromLocal(text: string): string | undefined {
  const date = new Date(text)
  return text === '' || Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}
