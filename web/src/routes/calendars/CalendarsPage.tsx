import { Button } from '@mantine/core'
import { IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { calendarsQuery } from '../../api/calendars'
import type { CalendarHead } from '../../api/types'
import { ownerText } from '../../features/calendar/owner'
import { calendarName } from '../../features/schedule/calendarText'
import { useScopes } from '../../features/window/useScopes'
import { type Column, DataTable, rowLink } from '../../ui/DataTable'
import { Page } from '../../ui/Page'
import { Failure, Loading } from '../../ui/States'
import { Ago } from '../../ui/Time'
import { NewCalendarDialog } from './NewCalendarDialog'

/** Which days count, for jobs that follow a calendar? */
export function CalendarsPage() {
  const { t } = useTranslation()
  const query = useQuery(calendarsQuery)
  const canMake = useScopes('fleet').length > 0
  const [isMaking, setMaking] = useState(false)
  const columns = useColumns()
  return (
    <Page
      title={t('nav.calendars')}
      isFilled
      actions={
        canMake && (
          <Button leftSection={<IconPlus size={14} />} onClick={() => setMaking(true)}>
            {t('calendars.new')}
          </Button>
        )
      }
    >
      {query.error ? (
        <Failure error={query.error} retry={() => void query.refetch()} />
      ) : !query.data ? (
        <Loading />
      ) : (
        <DataTable
          label={t('nav.calendars')}
          rows={query.data}
          columns={columns}
          rowKey={(calendar) => calendar.id ?? calendar.name}
          compact={(calendar) => <CompactCalendar calendar={calendar} />}
        />
      )}
      {isMaking && <NewCalendarDialog onClose={() => setMaking(false)} />}
    </Page>
  )
}

function useColumns(): Column<CalendarHead>[] {
  const { t } = useTranslation()
  return useMemo(
    () => [
      {
        key: 'name',
        title: t('calendars.name'),
        width: 'minmax(160px, 1.4fr)',
        cell: (calendar) => <Name calendar={calendar} />,
      },
      {
        key: 'owner',
        title: t('calendars.owner'),
        width: 'minmax(120px, 1fr)',
        cell: (calendar) => <span className="dim">{ownerText(calendar, t)}</span>,
      },
      {
        key: 'jobs',
        title: t('nav.jobs'),
        width: '80px',
        align: 'end',
        from: 640,
        cell: (calendar) => calendar.job_count ?? '',
      },
      {
        key: 'saved',
        title: t('jobs.saved'),
        width: 'minmax(140px, 1fr)',
        from: 760,
        cell: (calendar) =>
          calendar.updated_at && (
            <span className="faint">
              {t('calendars.changed', { user: calendar.updated_by })} <Ago at={calendar.updated_at} />
            </span>
          ),
      },
    ],
    [t],
  )
}

function Name({ calendar }: { calendar: CalendarHead }) {
  const { t } = useTranslation()
  return (
    <Link
      to="/calendars/$calendar"
      params={{ calendar: calendar.id ?? calendar.name }}
      search={{}}
      className={rowLink}
    >
      {calendar.id ? calendar.name : calendarName(calendar.name, t)}
    </Link>
  )
}

function CompactCalendar({ calendar }: { calendar: CalendarHead }) {
  const { t } = useTranslation()
  return (
    <>
      <div>
        <Name calendar={calendar} />
      </div>
      <div className="dim">{ownerText(calendar, t)}</div>
    </>
  )
}
