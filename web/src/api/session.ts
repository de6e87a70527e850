import { queryOptions } from '@tanstack/react-query'
import { adjustClock } from '../lib/now'
import { api, take } from './client'
import type { SetupRequest } from './types'

export const meQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => take(api.GET('/api/v1/session', { signal })),
  staleTime: 60_000,
  retry: false,
})

export const setupQuery = queryOptions({
  queryKey: ['setup'],
  queryFn: ({ signal }) => take(api.GET('/api/v1/setup', { signal })),
  retry: false,
})

export const aboutQuery = queryOptions({
  queryKey: ['about'],
  queryFn: async ({ signal }) => {
    const sent = Date.now()
    const about = await take(api.GET('/api/v1/about', { signal }))
    adjustClock(Date.parse(about.now), (sent + Date.now()) / 2)
    return about
  },
  staleTime: 600_000,
})

export const setUp = (body: SetupRequest) => take(api.POST('/api/v1/setup', { body }))
export const signIn = (login: string, password: string) =>
  take(api.POST('/api/v1/session', { body: { login, password } }))
export const signOut = () => take(api.DELETE('/api/v1/session'))
export const changePassword = (current: string, next: string) =>
  take(api.POST('/api/v1/session/password', { body: { current, new: next } }))
