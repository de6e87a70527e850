import { Button, Popover, Stack } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconCalendar, IconChevronDown } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { now } from '../../lib/now'
import { compactTime, DAY, HOUR } from '../../lib/time'
import { InstantInput } from '../../ui/InstantInput'

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
          <InstantInput label={t('time.from')} value={from} onChange={(at) => onChange(at, to)} />
          <InstantInput label={t('time.to')} value={to} onChange={(at) => onChange(from, at)} />
          <Button variant="subtle" size="compact-xs" onClick={() => onChange(undefined, undefined)}>
            {emptyMeans ?? t('time.any')}
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
