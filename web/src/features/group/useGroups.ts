import { useQuery } from '@tanstack/react-query'
import { groupsQuery } from '../../api/groups'

/** The groups that the user may see as choices of a filter. */
export function useGroupOptions(): { value: string; label: string }[] {
  return (useQuery(groupsQuery).data ?? []).map((group) => ({ value: group.id, label: group.name }))
}
