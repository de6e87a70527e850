import type { Calendar, CalendarHead, CalendarSpec, CalendarYear, Me, Role } from '../api/types'
import { dates, monthDays, ranges } from '../features/calendar/days'
import { notFound, Refused } from './refused'
import { uuid, type World } from './seed'

interface Call {
  path: string[]
  body: Record<string, unknown>
  headers: Headers
}

const WORDS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']
const WORKDAYS = ['MON', 'TUE', 'WED', 'THU', 'FRI']
/** Enough of 2026 to look like it. */
const CN_OUT = ['2026-01-01/2026-01-02', '2026-02-16/2026-02-20', '2026-10-01/2026-10-07']
const CN_IN = ['2026-01-04', '2026-02-14', '2026-10-10']

/** Calendars of the center in memory. No job of the mock is planned by them. */
export class Calendars {
  private all: Calendar[] = []

  constructor(
    private readonly world: World,
    private readonly me: () => Pick<Me, 'user'>,
    private readonly roleIn: (group: string) => Role | undefined,
  ) {}

  routes(): Record<string, (call: Call) => unknown> {
    return {
      'GET calendars': () => [...PRESETS, ...this.all.map((each) => this.head(each))],
      'POST calendars': ({ body }) => this.create(body),
      'POST calendars/preview': ({ body }) => yearOf(body.spec as CalendarSpec, Number(body.year)),
      'POST calendars/read': ({ body }) => this.read(String(body.text), body.containing),
      'GET calendars/*': ({ path }) => this.shown(this.of(path[1])),
      'PUT calendars/*': ({ path, body, headers }) => this.save(this.of(path[1]), body, headers),
      'DELETE calendars/*': ({ path }) => this.remove(this.of(path[1])),
    }
  }

  private head({ id, spec, group_id, group_name, version, updated_by, updated_at }: Calendar): CalendarHead {
    const owner = { group_id, group_name, can_edit: this.mayEdit(group_id) }
    const job_count = this.followers(spec.name).length
    return { id, name: spec.name, ...owner, version, job_count, updated_by, updated_at }
  }

  private mayEdit(group: string | null | undefined): boolean {
    return group ? ['owner', 'editor'].includes(this.roleIn(group) ?? '') : this.me().user.is_admin
  }

  private shown(calendar: Calendar): Calendar {
    return {
      ...calendar,
      job_count: this.followers(calendar.spec.name).length,
      can_edit: this.mayEdit(calendar.group_id),
    }
  }

  private create(body: Record<string, unknown>): Calendar {
    const spec = body.spec as CalendarSpec
    if (this.all.some((each) => each.spec.name === spec.name)) {
      throw new Refused(409, {
        code: 'calendar.name_taken',
        message: 'the name is taken',
        field: 'spec.name',
      })
    }
    const group = this.world.groups.find((each) => each.id === body.group_id)
    const now = new Date().toISOString()
    const calendar: Calendar = {
      id: uuid(9, this.all.length),
      group_id: group?.id,
      group_name: group?.name,
      version: 1,
      spec: { description: '', weekdays: [], days_in: [], days_out: [], ...spec },
      can_edit: true,
      updated_by: this.me().user.login,
      created_at: now,
      updated_at: now,
    }
    this.all.push(calendar)
    return this.shown(calendar)
  }

  private save(calendar: Calendar, body: Record<string, unknown>, headers: Headers): Calendar {
    if (headers.get('if-match') !== `"${calendar.version}"`) {
      throw new Refused(412, { code: 'calendar.version_stale', message: 'somebody else saved it' })
    }
    const updated_at = new Date().toISOString()
    Object.assign(calendar, { spec: body.spec, version: calendar.version + 1, updated_at })
    return this.shown(calendar)
  }

  private remove(calendar: Calendar): void {
    if (this.followers(calendar.spec.name).length > 0) {
      throw new Refused(409, { code: 'calendar.in_use', message: 'jobs follow the calendar' })
    }
    this.all = this.all.filter((each) => each !== calendar)
  }

  /** Single all-day events, one date each. */
  private read(file: string, containing: unknown): unknown {
    const events = file.split('BEGIN:VEVENT').slice(1)
    const wanted = events.filter((event) => !containing || event.includes(String(containing)))
    const days = wanted.map((event) => {
      const [, year, month, day] = /DTSTART[^:]*:(\d{4})(\d\d)(\d\d)/.exec(event) ?? []
      if (!year)
        throw new Refused(422, {
          code: 'calendar.file',
          message: 'line 2: the event has no DTSTART',
          field: 'text',
        })
      return `${year}-${month}-${day}`
    })
    return {
      days: ranges(new Set(days)),
      day_count: new Set(days).size,
      events: wanted.length,
      others: events.length - wanted.length,
    }
  }

  private followers(name: string) {
    return this.world.jobs.filter((job) => job.spec.scheduled?.calendar?.name === name)
  }

  private of(id: string | undefined): Calendar {
    const found = this.all.find((each) => each.id === id)
    if (!found) throw notFound()
    return found
  }
}

const PRESETS: CalendarHead[] = ['weekdays', 'cn-workdays'].map((name) => ({ name, can_edit: false }))

function yearOf(spec: CalendarSpec, year: number): CalendarYear {
  const isChinese = spec.extends === 'cn-workdays'
  const weekdays = spec.extends ? WORKDAYS : (spec.weekdays ?? [])
  const daysIn = dates([...(isChinese ? CN_IN : []), ...(spec.days_in ?? [])])
  const daysOut = dates([...(isChinese ? CN_OUT : []), ...(spec.days_out ?? [])])
  for (const day of dates(spec.days_in ?? [])) daysOut.delete(day)
  for (const day of dates(spec.days_out ?? [])) daysIn.delete(day)
  const isUsual = (day: string) => weekdays.includes(WORDS[new Date(`${day}T00:00:00Z`).getUTCDay()] ?? '')
  const months = Array.from({ length: 12 }, (_, nth) => monthDays(year, nth + 1))
  const all = months.flat().filter((day) => day !== undefined)
  const counting = all.filter((day) => daysIn.has(day) || (isUsual(day) && !daysOut.has(day)))
  const counts = new Set(counting)
  return {
    year,
    days: ranges(counting),
    day_count: counting.length,
    exceptions: ranges(all.filter((day) => counts.has(day) !== isUsual(day))),
    known_until: spec.known_until ?? (isChinese ? '2026-12-31' : undefined),
  }
}
