import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api, flag, take, word } from './client'
import type { Job, JobCreate, JobSpec, Page } from './types'

/** Filters of the list of jobs, as in the URL. */
export interface JobFilter {
  q?: string
  group?: string
  kind?: string
  paused?: string
  agent?: string
}

/** Rows asked for at a time. */
export const JOBS_PAGE = 200

export function jobsPage(
  filter: JobFilter,
  cursor: string | undefined,
  signal?: AbortSignal,
  limit = JOBS_PAGE,
): Promise<Page<Job>> {
  const { q, group, agent } = filter
  const kind = word(filter.kind, ['scheduled', 'daemon'])
  const query = { q, group, agent, kind, paused: flag(filter.paused), cursor, limit }
  return take(api.GET('/api/v1/jobs', { params: { query }, signal }))
}

export const jobsKey = (filter: JobFilter) => ['jobs', 'list', filter] as const

const of = (id: string) => ({ path: { id } })

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ['jobs', id],
    queryFn: ({ signal }) => take(api.GET('/api/v1/jobs/{id}', { params: of(id), signal })),
  })

export const versionsQuery = (id: string) =>
  queryOptions({
    queryKey: ['jobs', id, 'versions'],
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/jobs/{id}/versions', { params: { ...of(id), query: { limit: 100 } }, signal })),
  })

export const lapsesQuery = (id: string) =>
  queryOptions({
    queryKey: ['jobs', id, 'lapses'],
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/jobs/{id}/lapses', { params: { ...of(id), query: { limit: 100 } }, signal })),
  })

/** What became of the due times from `from` until before `to`; the last day when both are absent. */
export const whyQuery = (id: string, from: string | undefined, to: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ['jobs', id, 'why', from, to],
    queryFn: ({ signal, pageParam }) =>
      take(
        api.GET('/api/v1/jobs/{id}/why', {
          params: { ...of(id), query: { from, to, cursor: pageParam, limit: 100 } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

export const createJob = (body: JobCreate) => take(api.POST('/api/v1/jobs', { body }))
export const replaceJob = (id: string, version: number, spec: JobSpec) =>
  take(
    api.PUT('/api/v1/jobs/{id}', {
      params: { ...of(id), header: { 'If-Match': `"${version}"` } },
      body: { spec },
    }),
  )
export const deleteJob = (id: string) => take(api.DELETE('/api/v1/jobs/{id}', { params: of(id) }))
export const pauseJob = (id: string) => take(api.POST('/api/v1/jobs/{id}/pause', { params: of(id) }))
export const resumeJob = (id: string) => take(api.POST('/api/v1/jobs/{id}/resume', { params: of(id) }))
export const snoozeJob = (id: string, until: string) =>
  take(api.PUT('/api/v1/jobs/{id}/snooze', { params: of(id), body: { until } }))
export const wakeJob = (id: string) => take(api.DELETE('/api/v1/jobs/{id}/snooze', { params: of(id) }))
/** `key` makes the request safe to repeat. */
export const runJob = (id: string, key: string, agentIds?: string[], ignoreWindows = false) =>
  take(
    api.POST('/api/v1/jobs/{id}/run', {
      params: { ...of(id), header: { 'Idempotency-Key': key } },
      body: { agent_ids: agentIds, ignore_windows: ignoreWindows },
    }),
  )
