import { queryOptions } from '@tanstack/react-query'
import { del, get, patch, post, put } from './client'
import { everyPage } from './pages'
import type {
  Candidate,
  Group,
  GroupCreate,
  GroupUpdate,
  Page,
  Role,
  User,
  UserCreate,
  UserUpdate,
} from './types'

export const groupsQuery = queryOptions({
  queryKey: ['groups', 'list'],
  queryFn: ({ signal }) => everyPage((cursor) => get<Page<Group>>('/groups', { cursor, limit: 500 }, signal)),
  staleTime: 30_000,
})

export const groupQuery = (id: string) =>
  queryOptions({
    queryKey: ['groups', id],
    queryFn: ({ signal }) => get<Group>(`/groups/${id}`, undefined, signal),
  })

export const candidatesQuery = (group: string, q: string) =>
  queryOptions({
    queryKey: ['groups', group, 'candidates', q],
    queryFn: ({ signal }) => get<Candidate[]>(`/groups/${group}/candidates`, { q }, signal),
  })

export const createGroup = (create: GroupCreate) => post<Group>('/groups', create)
export const updateGroup = (id: string, update: GroupUpdate) => patch<Group>(`/groups/${id}`, update)
export const deleteGroup = (id: string) => del(`/groups/${id}`)
export const putMember = (group: string, user: string, role: Role) =>
  put<void>(`/groups/${group}/members/${user}`, { role })
export const removeMember = (group: string, user: string) => del(`/groups/${group}/members/${user}`)

export const usersQuery = (q: string) =>
  queryOptions({
    queryKey: ['users', q],
    queryFn: ({ signal }) =>
      everyPage((cursor) => get<Page<User>>('/users', { q, cursor, limit: 500 }, signal)),
  })

export const createUser = (create: UserCreate) => post<User>('/users', create)
export const updateUser = (id: string, update: UserUpdate) => patch<User>(`/users/${id}`, update)
