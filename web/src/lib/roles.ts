import type { Role } from '../api/types'

/** Roles, weakest first; each includes the ones before it. */
export const ROLES: readonly Role[] = ['viewer', 'operator', 'editor', 'owner']

/** Whether a role allows what at least `needed` allows. */
export function allows(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed)
}
