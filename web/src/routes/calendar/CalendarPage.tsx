import { Button } from '@mantine/core'
import { IconPencil, IconTrash } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { calendarQuery, deleteCalendar, yearQuery } from '../../api/calendars'
import type { Calendar, CalendarSpec } from '../../api/types'
import { ownerText } from '../../features/calendar/owner'
import { YearView } from '../../features/calendar/YearView'
import { calendarName } from '../../features/schedule/calendarText'
import { useConfirm } from '../../ui/Confirm'
import { Facts } from '../../ui/Facts'
import { notifyDone } from '../../ui/notify'
import { Page } from '../../ui/Page'
import { Failure, Loading } from '../../ui/States'
import { AtAndAgo } from '../../ui/Time'
import { CalendarEditor } from './CalendarEditor'
import { useYear } from './useYear'

const route = getRouteApi('/shell/calendars/$calendar')

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Which days of a year count in this calendar? */
export function CalendarPage() {
  const { t } = useTranslation()
  const { calendar } = route.useParams()
  if (UUID.test(calendar)) return <KeptCalendar id={calendar} />
  return (
    <Page title={calendarName(calendar, t)} parent={<Parent />} state={ownerText({}, t)}>
      <p className="dim">{t('calendars.programText')}</p>
      <Year spec={{ name: 'preset', extends: calendar }} />
    </Page>
  )
}

function Parent() {
  const { t } = useTranslation()
  return (
    <Link to="/calendars" search={{}}>
      {t('nav.calendars')}
    </Link>
  )
}

function KeptCalendar({ id }: { id: string }) {
  const { t } = useTranslation()
  const query = useQuery(calendarQuery(id))
  const { edit } = route.useSearch()
  const navigate = route.useNavigate()
  const calendar = query.data
  if (!calendar) {
    return (
      <Page title={t('calendars.one')} parent={<Parent />}>
        {query.error ? <Failure error={query.error} retry={() => void query.refetch()} /> : <Loading />}
      </Page>
    )
  }
  const setEdit = (edit: string | undefined) =>
    void navigate({ search: (old) => ({ ...old, edit }), replace: true })
  if (edit && calendar.can_edit) {
    return <CalendarEditor calendar={calendar} parent={<Parent />} onClose={() => setEdit(undefined)} />
  }
  return (
    <Page
      title={calendar.spec.name}
      parent={<Parent />}
      state={ownerText(calendar, t)}
      actions={calendar.can_edit && <Actions calendar={calendar} onEdit={() => setEdit('1')} />}
    >
      {calendar.spec.description && <p className="dim">{calendar.spec.description}</p>}
      <Facts
        columns={3}
        items={[
          [t('calendars.base'), <Base key="base" spec={calendar.spec} />],
          [t('calendars.knownUntil'), calendar.spec.known_until],
          [
            t('jobs.saved'),
            <span key="saved">
              {t('calendars.changed', { user: calendar.updated_by })} <AtAndAgo at={calendar.updated_at} />
            </span>,
          ],
          [t('nav.jobs'), calendar.job_count?.toString()],
        ]}
      />
      <Year spec={calendar.spec} />
    </Page>
  )
}

function Base({ spec }: { spec: CalendarSpec }) {
  const { t, i18n } = useTranslation()
  if (spec.extends) return <>{calendarName(spec.extends, t)}</>
  const words = spec.weekdays ?? []
  if (words.length === 0) return <>{t('calendars.noWeekdays')}</>
  const name = new Intl.DateTimeFormat(i18n.language, { weekday: 'short', timeZone: 'UTC' })
  // 5 January 2026 is a Monday.
  const days = ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'].flatMap((word, nth) =>
    words.includes(word) ? [name.format(Date.UTC(2026, 0, 5 + nth))] : [],
  )
  return <>{days.join(' ')}</>
}

/** The days of the year in the address, of this year without one. */
function Year({ spec }: { spec: CalendarSpec }) {
  const { year, setYear } = useYear()
  const query = useQuery(yearQuery(spec, year))
  if (!query.data) {
    return query.error ? <Failure error={query.error} retry={() => void query.refetch()} /> : <Loading />
  }
  return <YearView days={query.data} year={query.data.year} onYear={setYear} />
}

function Actions({ calendar, onEdit }: { calendar: Calendar; onEdit: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const confirm = useConfirm()
  const navigate = route.useNavigate()
  const remove = () =>
    confirm({
      title: t('calendars.delete.title', { name: calendar.spec.name }),
      consequence: t('calendars.delete.consequence'),
      action: t('calendars.delete.action'),
      run: async () => {
        await deleteCalendar(calendar.id)
        notifyDone(t('calendars.delete.done', { name: calendar.spec.name }))
        await navigate({ to: '/calendars', search: {} })
        await client.invalidateQueries({ queryKey: ['calendars', 'list'] })
      },
    })
  return (
    <>
      <Button variant="default" leftSection={<IconTrash size={14} />} onClick={remove}>
        {t('calendars.delete.action')}
      </Button>
      <Button leftSection={<IconPencil size={14} />} onClick={onEdit}>
        {t('calendars.edit')}
      </Button>
    </>
  )
}
