import { Chip, Group, Select } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { calendarsQuery } from '../../api/calendars'
import type { CalendarSpec } from '../../api/types'
import { calendarName } from '../schedule/calendarText'

type Base = Pick<CalendarSpec, 'extends' | 'weekdays'>

const OWN = 'weekdays-of-its-own'
const WORDS = ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN']

/** Which days count unless a date says otherwise: those of a calendar of the program, or days of the week. */
export function BaseSelect({
  value,
  onChange,
  error,
}: {
  value: Base
  onChange: (base: Base) => void
  error?: string
}) {
  const { t, i18n } = useTranslation()
  const presets = (useQuery(calendarsQuery).data ?? []).filter((calendar) => !calendar.id)
  const name = new Intl.DateTimeFormat(i18n.language, { weekday: 'short', timeZone: 'UTC' })
  const choose = (word: string | null) =>
    onChange(word && word !== OWN ? { extends: word, weekdays: [] } : { extends: undefined, weekdays: [] })
  return (
    <div>
      <Select
        label={t('calendars.base')}
        data={[
          { value: OWN, label: t('calendars.weekdays') },
          ...presets.map((preset) => ({ value: preset.name, label: calendarName(preset.name, t) })),
        ]}
        value={value.extends ?? OWN}
        allowDeselect={false}
        onChange={choose}
        error={error}
      />
      {!value.extends && (
        <Chip.Group
          multiple
          value={value.weekdays ?? []}
          onChange={(weekdays) => onChange({ extends: undefined, weekdays })}
        >
          <Group gap={4} mt={8} role="group" aria-label={t('calendars.weekdays')}>
            {/* 5 January 2026 is a Monday. */}
            {WORDS.map((word, nth) => (
              <Chip key={word} value={word} size="xs">
                {name.format(Date.UTC(2026, 0, 5 + nth))}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
      )}
    </div>
  )
}
