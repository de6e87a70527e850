import { useSuspenseQuery } from '@tanstack/react-query'
import { meQuery } from '../../api/session'
import type { Me, Role } from '../../api/types'
import { allows } from '../../lib/roles'

/** The signed-in user. Only below the part of the router that has made sure of one. */
export function useMe(): Me {
  return useSuspenseQuery(meQuery).data
}

/** Groups in which the user may at least do what `role` allows; `undefined` means all. */
export function groupsWith(me: Me, role: Role): Set<string> | undefined {
  if (me.user.is_admin) return undefined
  return new Set(me.roles.filter((each) => allows(each.role, role)).map((each) => each.group_id))
}

/** Whether the user may do something somewhere. */
export function canAnywhere(me: Me, role: Role): boolean {
  return me.user.is_admin || me.roles.some((each) => allows(each.role, role))
}
