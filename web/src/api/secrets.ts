import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'

const of = (group: string) => ({ path: { id: group } })
const one = (group: string, name: string) => ({ path: { id: group, name } })

/** A group's secrets, without their values. */
export const secretsQuery = (group: string) =>
  queryOptions({
    queryKey: ['groups', group, 'secrets'],
    queryFn: ({ signal }) => take(api.GET('/api/v1/groups/{id}/secrets', { params: of(group), signal })),
  })

export const putSecret = (group: string, name: string, value: string) =>
  take(api.PUT('/api/v1/groups/{id}/secrets/{name}', { params: one(group, name), body: { value } }))
export const deleteSecret = (group: string, name: string) =>
  take(api.DELETE('/api/v1/groups/{id}/secrets/{name}', { params: one(group, name) }))
