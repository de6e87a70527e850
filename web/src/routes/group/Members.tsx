import { ActionIcon, Button, Select, Tooltip } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconUserMinus } from '@tabler/icons-react'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { candidatesQuery, putMember, removeMember } from '../../api/groups'
import type { Group, Member, Role } from '../../api/types'
import { RoleMark } from '../../features/group/RoleMark'
import { allows, ROLES } from '../../lib/roles'
import { useConfirm } from '../../ui/Confirm'
import { notifyDone, notifyError } from '../../ui/notify'
import { Section } from '../../ui/Page'
import classes from './GroupPage.module.css'

/** Who has which role here; owners change it. */
export function Members({ group }: { group: Group }) {
  const { t } = useTranslation()
  const isOwner = allows(group.my_role, 'owner')
  const members = [...group.members].sort(
    (a, b) => ROLES.indexOf(b.role) - ROLES.indexOf(a.role) || a.display_name.localeCompare(b.display_name),
  )
  return (
    <Section title={t('groups.members')}>
      {members.length > 0 ? (
        <table className={classes.members}>
          <thead>
            <tr>
              <th scope="col">{t('users.user')}</th>
              <th scope="col">{t('groups.role')}</th>
              <th scope="col">
                <span className="sr">{t('common.actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {members.map((member) => (
              <MemberRow key={member.user_id} group={group} member={member} isOwner={isOwner} />
            ))}
          </tbody>
        </table>
      ) : (
        <p className="dim">{t('groups.noMembers')}</p>
      )}
      {isOwner && <AddMember group={group} />}
      <p className={classes.rights}>{t('groups.rights')}</p>
    </Section>
  )
}

function useChange(group: Group) {
  const client = useQueryClient()
  return async (change: () => Promise<void>) => {
    await change()
    await client.invalidateQueries({ queryKey: ['groups', group.id] })
    await client.invalidateQueries({ queryKey: ['groups', 'list'] })
  }
}

function MemberRow({ group, member, isOwner }: { group: Group; member: Member; isOwner: boolean }) {
  const { t } = useTranslation()
  const confirm = useConfirm()
  const change = useChange(group)
  const names = { user: member.display_name, group: group.name }
  const setRole = (role: Role) =>
    void change(() => putMember(group.id, member.user_id, role)).then(
      () => notifyDone(t('groups.roleDone', { ...names, role: t(`role.${role}`) })),
      notifyError,
    )
  return (
    <tr>
      <td>
        {member.display_name}{' '}
        {member.login !== member.display_name && <span className="faint">{member.login}</span>}
      </td>
      <td>
        {isOwner ? (
          <Select
            aria-label={t('groups.roleOf', { user: member.display_name })}
            data={ROLES.map((role) => ({ value: role, label: t(`role.${role}`) }))}
            value={member.role}
            allowDeselect={false}
            onChange={(role) => role && role !== member.role && setRole(role as Role)}
            w={150}
          />
        ) : (
          <RoleMark role={member.role} />
        )}
      </td>
      <td>
        {isOwner && (
          <Tooltip label={t('groups.removeMember')}>
            <ActionIcon
              aria-label={t('groups.removeNamed', names)}
              onClick={() =>
                confirm({
                  title: t('groups.removeTitle', names),
                  consequence: t('groups.removeText'),
                  action: t('groups.removeMember'),
                  run: () => change(() => removeMember(group.id, member.user_id)),
                })
              }
            >
              <IconUserMinus size={15} stroke={1.6} />
            </ActionIcon>
          </Tooltip>
        )}
      </td>
    </tr>
  )
}

function AddMember({ group }: { group: Group }) {
  const { t } = useTranslation()
  const change = useChange(group)
  const [text, setText] = useState('')
  const [user, setUser] = useState<string | null>(null)
  const [role, setRole] = useState<Role>('operator')
  const [q] = useDebouncedValue(text, 200)
  const found = useQuery({ ...candidatesQuery(group.id, q), placeholderData: keepPreviousData }).data ?? []
  const candidates = found.filter((each) => !group.members.some((member) => member.user_id === each.user_id))
  const add = () => {
    if (!user) return
    const name = candidates.find((each) => each.user_id === user)?.display_name ?? ''
    void change(() => putMember(group.id, user, role)).then(() => {
      setUser(null)
      setText('')
      notifyDone(t('groups.roleDone', { user: name, group: group.name, role: t(`role.${role}`) }))
    }, notifyError)
  }
  return (
    <div className={classes.add}>
      <Select
        aria-label={t('groups.addUser')}
        placeholder={t('groups.addUser')}
        data={candidates.map((each) => ({
          value: each.user_id,
          label: each.login === each.display_name ? each.login : `${each.display_name} (${each.login})`,
        }))}
        value={user}
        onChange={setUser}
        searchable
        onSearchChange={setText}
        filter={({ options }) => options}
        nothingFoundMessage={t('common.nothing')}
      />
      <Select
        aria-label={t('groups.role')}
        data={ROLES.map((each) => ({ value: each, label: t(`role.${each}`) }))}
        value={role}
        allowDeselect={false}
        onChange={(next) => next && setRole(next as Role)}
        w={130}
      />
      <Button onClick={add} disabled={!user}>
        {t('groups.add')}
      </Button>
    </div>
  )
}
