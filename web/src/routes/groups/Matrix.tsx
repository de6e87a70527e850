import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Group, Member } from '../../api/types'
import { RoleMark } from '../../features/group/RoleMark'
import classes from './GroupsPage.module.css'

/** Users down, groups across, roles between: who may do what, at one glance. */
export function Matrix({ groups }: { groups: readonly Group[] }) {
  const { t } = useTranslation()
  const users = new Map<string, Member>()
  for (const group of groups) for (const member of group.members) users.set(member.user_id, member)
  const rows = [...users.values()].sort((a, b) => a.display_name.localeCompare(b.display_name))
  if (rows.length === 0) return <p className={`dim ${classes.matrix}`}>{t('groups.noMembers')}</p>
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard
    <section className={classes.matrix} tabIndex={0} aria-label={t('groups.matrix')}>
      <table>
        <thead>
          <tr>
            <th>{t('users.user')}</th>
            {groups.map((group) => (
              <th key={group.id} scope="col">
                <Link to="/groups/$groupId" params={{ groupId: group.id }}>
                  {group.name}
                </Link>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((user) => (
            <tr key={user.user_id}>
              <th scope="row">
                {user.display_name}{' '}
                {user.login !== user.display_name && <span className="faint">{user.login}</span>}
              </th>
              {groups.map((group) => {
                const role = group.members.find((member) => member.user_id === user.user_id)?.role
                return (
                  <td key={group.id}>{role ? <RoleMark role={role} /> : <span className="faint">–</span>}</td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p className="dim" style={{ marginTop: 12 }}>
        {t('groups.adminsToo')}
      </p>
    </section>
  )
}
