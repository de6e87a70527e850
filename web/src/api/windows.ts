import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import { everyPage } from './pages'
import type { Window, WindowCreate, WindowReplace } from './types'

/** Filters of the list of windows, as in the URL. */
export interface WindowFilter {
  group?: string
  job?: string
  over?: string
}

/** Windows of the fleet, of my groups and of their jobs. */
export const windowsQuery = ({ group, job, over }: WindowFilter) =>
  queryOptions({
    queryKey: ['windows', group, job, over],
    queryFn: ({ signal }) =>
      everyPage<Window>((cursor) =>
        take(
          api.GET('/api/v1/windows', {
            params: { query: { group, job, over: over === 'true', cursor, limit: 500 } },
            signal,
          }),
        ),
      ),
  })

const of = (id: string) => ({ path: { id } })

export const createWindow = (body: WindowCreate) => take(api.POST('/api/v1/windows', { body }))
export const replaceWindow = (id: string, version: number, body: WindowReplace) =>
  take(
    api.PUT('/api/v1/windows/{id}', {
      params: { ...of(id), header: { 'If-Match': `"${version}"` } },
      body,
    }),
  )
export const endWindow = (id: string) => take(api.DELETE('/api/v1/windows/{id}', { params: of(id) }))
