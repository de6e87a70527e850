import { queryOptions } from '@tanstack/react-query'
import { adjustClock } from '../lib/now'
import { del, get, post } from './client'
import type { About, Me, SetupRequest, SetupState } from './types'

export const meQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => get<Me>('/session', undefined, signal),
  staleTime: 60_000,
  retry: false,
})

export const setupQuery = queryOptions({
  queryKey: ['setup'],
  queryFn: ({ signal }) => get<SetupState>('/setup', undefined, signal),
  retry: false,
})

export const aboutQuery = queryOptions({
  queryKey: ['about'],
  queryFn: async ({ signal }) => {
    const sent = Date.now()
    const about = await get<About>('/about', undefined, signal)
    adjustClock(Date.parse(about.now), (sent + Date.now()) / 2)
    return about
  },
  staleTime: 600_000,
})

export const setUp = (request: SetupRequest) => post<Me>('/setup', request)
export const signIn = (login: string, password: string) => post<Me>('/session', { login, password })
export const signOut = () => del('/session')
export const changePassword = (current: string, next: string) =>
  post<void>('/session/password', { current, new: next })
