import { queryOptions } from '@tanstack/react-query'
import { del, get, patch, post } from './client'
import { everyPage } from './pages'
import type { Agent, AgentUpdate, JoinToken, JoinTokenCreate, Page } from './types'

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
    queryFn: ({ signal }) =>
      everyPage((cursor) => get<Page<Agent>>('/agents', { ...filter, cursor, limit: 500 }, signal)),
  })

export const agentQuery = (id: string) =>
  queryOptions({
    queryKey: ['agents', id],
    queryFn: ({ signal }) => get<Agent>(`/agents/${id}`, undefined, signal),
  })

export const updateAgent = (id: string, update: AgentUpdate) => patch<Agent>(`/agents/${id}`, update)
export const approveAgent = (id: string, groupIds?: string[]) =>
  post<Agent>(`/agents/${id}/approve`, { group_ids: groupIds ?? null })
export const revokeAgent = (id: string) => del(`/agents/${id}`)
export const createJoinToken = (create: JoinTokenCreate) => post<JoinToken>('/agents/join-tokens', create)
