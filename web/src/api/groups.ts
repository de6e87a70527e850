import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import { everyPage } from './pages'
import type { Group, GroupCreate, GroupUpdate, Role } from './types'

export const groupsQuery = queryOptions({
  queryKey: ['groups', 'list'],
  queryFn: ({ signal }) =>
    everyPage<Group>((cursor) =>
      take(api.GET('/api/v1/groups', { params: { query: { cursor, limit: 500 } }, signal })),
    ),
})

const of = (id: string) => ({ path: { id } })

export const groupQuery = (id: string) =>
  queryOptions({
    queryKey: ['groups', id],
    queryFn: ({ signal }) => take(api.GET('/api/v1/groups/{id}', { params: of(id), signal })),
  })

/** Users who could be given a role. */
export const candidatesQuery = (group: string, q: string) =>
  queryOptions({
    queryKey: ['groups', group, 'candidates', q],
    queryFn: ({ signal }) =>
      take(api.GET('/api/v1/groups/{id}/candidates', { params: { ...of(group), query: { q } }, signal })),
  })

export const createGroup = (body: GroupCreate) => take(api.POST('/api/v1/groups', { body }))
export const updateGroup = (id: string, body: GroupUpdate) =>
  take(api.PATCH('/api/v1/groups/{id}', { params: of(id), body }))
export const deleteGroup = (id: string) => take(api.DELETE('/api/v1/groups/{id}', { params: of(id) }))

const memberOf = (group: string, user: string) => ({ path: { id: group, user_id: user } })

export const putMember = (group: string, user: string, role: Role) =>
  take(api.PUT('/api/v1/groups/{id}/members/{user_id}', { params: memberOf(group, user), body: { role } }))
export const removeMember = (group: string, user: string) =>
  take(api.DELETE('/api/v1/groups/{id}/members/{user_id}', { params: memberOf(group, user) }))
