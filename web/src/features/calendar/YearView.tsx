import { ActionIcon } from '@mantine/core'
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { CalendarYear } from '../../api/types'
import { dates, monthDays } from './days'
import classes from './YearView.module.css'

interface YearViewProps {
  days: CalendarYear
  year: number
  onYear: (year: number) => void
  /** Turns a day around; days cannot be chosen when absent. */
  onDay?: (day: string, counts: boolean) => void
}

const MONTHS = Array.from({ length: 12 }, (_, nth) => nth + 1)

/** The days of a year: which count, and which of them by their date instead of their day of the week. */
export function YearView({ days, year, onYear, onDay }: YearViewProps) {
  const { t } = useTranslation()
  const counting = useMemo(() => dates(days.days), [days])
  const named = useMemo(() => dates(days.exceptions), [days])
  return (
    <div>
      <div className={classes.head}>
        <ActionIcon
          aria-label={t('calendars.yearBefore')}
          disabled={year <= 1970}
          onClick={() => onYear(year - 1)}
        >
          <IconChevronLeft size={15} />
        </ActionIcon>
        <strong>{year}</strong>
        <ActionIcon
          aria-label={t('calendars.yearAfter')}
          disabled={year >= 2100}
          onClick={() => onYear(year + 1)}
        >
          <IconChevronRight size={15} />
        </ActionIcon>
        <span className="dim">{t('calendars.dayCount', { count: days.day_count })}</span>
        <Legend />
      </div>
      <div className={classes.year}>
        {MONTHS.map((month) => (
          <Month key={month} year={year} month={month} counting={counting} named={named} onDay={onDay} />
        ))}
      </div>
    </div>
  )
}

function Legend() {
  const { t } = useTranslation()
  return (
    <span className={classes.legend}>
      {(['in', 'inByDate', 'outByDate', 'out'] as const).map((kind) => (
        <span key={kind}>
          <span className={classes.day} data-kind={kind} aria-hidden>
            1
          </span>
          {t(`calendars.day.${kind}`)}
        </span>
      ))}
    </span>
  )
}

function Month({
  year,
  month,
  counting,
  named,
  onDay,
}: {
  year: number
  month: number
  counting: Set<string>
  named: Set<string>
  onDay: YearViewProps['onDay']
}) {
  const { t, i18n } = useTranslation()
  const name = new Intl.DateTimeFormat(i18n.language, { month: 'long', timeZone: 'UTC' }).format(
    Date.UTC(year, month - 1, 1),
  )
  const weekday = new Intl.DateTimeFormat(i18n.language, { weekday: 'narrow', timeZone: 'UTC' })
  const label = new Intl.DateTimeFormat(i18n.language, { dateStyle: 'full', timeZone: 'UTC' })
  return (
    <section aria-label={`${name} ${year}`}>
      <h3 className={classes.month}>{name}</h3>
      <div className={classes.grid}>
        {/* 5 January 2026 is a Monday. */}
        {Array.from({ length: 7 }, (_, nth) => (
          <span key={nth} className={classes.weekday} aria-hidden>
            {weekday.format(Date.UTC(2026, 0, 5 + nth))}
          </span>
        ))}
        {monthDays(year, month).map((day, nth) => {
          if (!day) return <span key={nth} />
          const counts = counting.has(day)
          const kind = `${counts ? 'in' : 'out'}${named.has(day) ? 'ByDate' : ''}` as const
          const said = `${label.format(Date.parse(`${day}T00:00:00Z`))}: ${t(`calendars.day.${kind}`)}`
          const number = Number(day.slice(8))
          return onDay ? (
            <button
              key={nth}
              type="button"
              className={classes.day}
              data-kind={kind}
              aria-label={said}
              aria-pressed={counts}
              title={said}
              onClick={() => onDay(day, counts)}
            >
              {number}
            </button>
          ) : (
            <span key={nth} className={classes.day} data-kind={kind} title={said}>
              {number}
              <span className="sr">{t(`calendars.day.${kind}`)}</span>
            </span>
          )
        })}
      </div>
    </section>
  )
}
