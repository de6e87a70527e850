import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'

/** The centers of the deployment; for administrators. No event tells of them, so they are asked for again and again. */
export const centersQuery = queryOptions({
  queryKey: ['centers'],
  queryFn: async ({ signal }) => (await take(api.GET('/api/v1/centers', { signal }))).items,
  refetchInterval: 5_000,
})
