import { Select } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { calendarsQuery } from '../../api/calendars'
import type { CalendarMode } from '../../api/types'
import { calendarName } from '../../features/schedule/calendarText'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

const EVERY_DAY = 'every-day'
const MODES: CalendarMode[] = ['include', 'exclude', 'shift_next', 'shift_previous']

/** Which calendar a job follows, and how: of the program, of the fleet, or of its group. */
export function CalendarFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const { calendar } = draft
  const known = (useQuery(calendarsQuery).data ?? []).filter(
    (each) => !each.group_id || each.group_id === draft.groupId,
  )
  // One that is not there (any more) stays as it is, and the center says so.
  const names = [...new Set([...known.map((each) => each.name), ...(calendar ? [calendar.name] : [])])]
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
