import { queryOptions } from '@tanstack/react-query'
import { api, flag, take, word } from './client'
import { everyPage } from './pages'
import type { Agent, AgentUpdate, JoinTokenCreate } from './types'

/** Filters of the list of agents, as in the URL. */
export interface AgentFilter {
  q?: string
  group?: string
  state?: string
  online?: string
}

export const agentsQuery = (filter: AgentFilter = {}) =>
  queryOptions({
    queryKey: ['agents', 'list', filter],
    queryFn: ({ signal }) => {
      const state = word(filter.state, ['pending', 'active', 'revoked'])
      const query = { q: filter.q, group: filter.group, state, online: flag(filter.online), limit: 500 }
      return everyPage<Agent>((cursor) =>
        take(api.GET('/api/v1/agents', { params: { query: { ...query, cursor } }, signal })),
      )
    },
  })

const of = (id: string) => ({ path: { id } })

export const agentQuery = (id: string) =>
  queryOptions({
    queryKey: ['agents', id],
    queryFn: ({ signal }) => take(api.GET('/api/v1/agents/{id}', { params: of(id), signal })),
  })

export const updateAgent = (id: string, body: AgentUpdate) =>
  take(api.PATCH('/api/v1/agents/{id}', { params: of(id), body }))
export const approveAgent = (id: string, groupIds: string[]) =>
  take(api.POST('/api/v1/agents/{id}/approve', { params: of(id), body: { group_ids: groupIds } }))
export const revokeAgent = (id: string) => take(api.DELETE('/api/v1/agents/{id}', { params: of(id) }))
export const createJoinToken = (body: JoinTokenCreate) =>
  take(api.POST('/api/v1/agents/join-tokens', { body }))
