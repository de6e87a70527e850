import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import type { Page, Run } from './types'

/** Filters of the list of runs, as in the URL. `state` and `outcome` may be comma lists. */
export interface RunFilter {
  job?: string
  agent?: string
  group?: string
  state?: string
  outcome?: string
  cause?: string
  from?: string
  to?: string
}

/** Rows asked for at a time. */
const RUNS_PAGE = 100

export const runsPage = (
  filter: RunFilter,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Run>> =>
  take(api.GET('/api/v1/runs', { params: { query: { ...filter, cursor, limit: RUNS_PAGE } }, signal }))

export const runsKey = (filter: RunFilter) => ['runs', 'list', filter] as const

export const runQuery = (id: string) =>
  queryOptions({
    queryKey: ['runs', id],
    queryFn: ({ signal }) => take(api.GET('/api/v1/runs/{id}', { params: { path: { id } }, signal })),
  })

export const killRun = (id: string) => take(api.POST('/api/v1/runs/{id}/kill', { params: { path: { id } } }))
