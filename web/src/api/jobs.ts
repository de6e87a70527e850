import { queryOptions } from '@tanstack/react-query'
import { del, get, post, put } from './client'
import type { Job, JobCreate, JobSpec, JobVersion, Lapse, Page, RunNowAnswer } from './types'

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

export const jobsPage = (
  filter: JobFilter,
  cursor: string | undefined,
  signal?: AbortSignal,
  limit = JOBS_PAGE,
) => get<Page<Job>>('/jobs', { ...filter, cursor, limit }, signal)

export const jobsKey = (filter: JobFilter) => ['jobs', 'list', filter] as const

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ['jobs', id],
    queryFn: ({ signal }) => get<Job>(`/jobs/${id}`, undefined, signal),
  })

export const versionsQuery = (id: string) =>
  queryOptions({
    queryKey: ['jobs', id, 'versions'],
    queryFn: ({ signal }) => get<Page<JobVersion>>(`/jobs/${id}/versions`, { limit: 100 }, signal),
  })

export const lapsesQuery = (id: string) =>
  queryOptions({
    queryKey: ['jobs', id, 'lapses'],
    queryFn: ({ signal }) => get<Page<Lapse>>(`/jobs/${id}/lapses`, { limit: 100 }, signal),
  })

export const createJob = (create: JobCreate) => post<Job>('/jobs', create)
export const replaceJob = (id: string, version: number, spec: JobSpec) =>
  put<Job>(`/jobs/${id}`, { spec }, { 'If-Match': `"${version}"` })
export const deleteJob = (id: string) => del(`/jobs/${id}`)
export const pauseJob = (id: string) => post<Job>(`/jobs/${id}/pause`)
export const resumeJob = (id: string) => post<Job>(`/jobs/${id}/resume`)
/** `key` makes the request safe to repeat. */
export const runJob = (id: string, key: string, agentIds?: string[]) =>
  post<RunNowAnswer>(`/jobs/${id}/run`, { agent_ids: agentIds ?? null }, { 'Idempotency-Key': key })
