import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { groupsQuery } from '../../api/groups'
import { allows } from '../../lib/roles'
import { useMe } from '../session/useMe'

/** What the user may make windows for: the fleet, under the given word, and groups. */
export function useScopes(fleet: string): { value: string; label: string }[] {
  const { t } = useTranslation()
  const me = useMe()
  const groups = useQuery(groupsQuery).data ?? []
  const mine = groups.filter((group) => allows(group.my_role, 'editor'))
  const ofGroups = mine.map((group) => ({
    value: group.id,
    label: t('windows.whose', { name: group.name }),
  }))
  return me.user.is_admin ? [{ value: fleet, label: t('windows.fleet') }, ...ofGroups] : ofGroups
}
