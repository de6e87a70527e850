import { Select } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { CalendarMode } from '../../api/types'
import { calendarName } from '../../features/schedule/calendarText'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

const EVERY_DAY = 'every-day'
const CALENDARS = ['weekdays', 'cn-workdays']
const MODES: CalendarMode[] = ['include', 'exclude', 'shift_next', 'shift_previous']

/** Which calendar a job follows, and how. */
export function CalendarFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const { calendar } = draft
  // One that this console does not know stays as it is.
  const names = [...new Set([...CALENDARS, ...(calendar ? [calendar.name] : [])])]
  const choose = (name: string | null) =>
    set({
      calendar: name && name !== EVERY_DAY ? { mode: calendar?.mode ?? 'include', name } : undefined,
    })
  return (
    <div className={classes.pair}>
      <Select
        label={t('field.scheduled_calendar')}
        data={[
          { value: EVERY_DAY, label: t('calendar.everyDay') },
          ...names.map((name) => ({ value: name, label: calendarName(name, t) })),
        ]}
        value={calendar?.name ?? EVERY_DAY}
        allowDeselect={false}
        onChange={choose}
        error={errorAt('scheduled.calendar')}
      />
      {calendar && (
        <Select
          label={t('field.scheduled_calendar_mode')}
          data={MODES.map((mode) => ({ value: mode, label: t(`calendar.mode.${mode}`) }))}
          value={calendar.mode}
          allowDeselect={false}
          onChange={(word) => {
            const mode = MODES.find((each) => each === word)
            if (mode) set({ calendar: { ...calendar, mode } })
          }}
        />
      )}
    </div>
  )
}
