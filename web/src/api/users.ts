import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import { everyPage } from './pages'
import type { User, UserCreate, UserUpdate } from './types'

export const usersQuery = (q: string | undefined) =>
  queryOptions({
    queryKey: ['users', q ?? ''],
    queryFn: ({ signal }) =>
      everyPage<User>((cursor) =>
        take(api.GET('/api/v1/users', { params: { query: { q, cursor, limit: 500 } }, signal })),
      ),
  })

export const createUser = (body: UserCreate) => take(api.POST('/api/v1/users', { body }))
export const updateUser = (id: string, body: UserUpdate) =>
  take(api.PATCH('/api/v1/users/{id}', { params: { path: { id } }, body }))
