import { ActionIcon, Button, Menu } from '@mantine/core'
import {
  IconBan,
  IconCircleCheckFilled,
  IconDots,
  IconKey,
  IconPencil,
  IconPlus,
  IconShieldFilled,
} from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { User } from '../../api/types'
import { updateUser, usersQuery } from '../../api/users'
import { useMe } from '../../features/session/useMe'
import { useConfirm } from '../../ui/Confirm'
import { aboveRow, type Column, DataTable } from '../../ui/DataTable'
import { SearchBox } from '../../ui/Filters'
import { Mark } from '../../ui/Mark'
import { notifyDone, notifyError } from '../../ui/notify'
import { Page, Toolbar } from '../../ui/Page'
import { Empty, Failure, Loading } from '../../ui/States'
import { Ago } from '../../ui/Time'
import { UserDialog, type UserEdit } from './UserDialog'

const route = getRouteApi('/shell/users')

/** Who can sign in? */
export function UsersPage() {
  const { t } = useTranslation()
  const me = useMe()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const query = useQuery({ ...usersQuery(search.q), enabled: me.user.is_admin })
  const [edit, setEdit] = useState<UserEdit>()
  const columns = useUserColumns(setEdit)
  if (!me.user.is_admin) {
    return (
      <Page title={t('nav.users')}>
        <Empty title={t('errors.forbiddenTitle')}>{t('users.adminsOnly')}</Empty>
      </Page>
    )
  }
  return (
    <Page
      title={t('nav.users')}
      isFilled
      actions={
        <Button leftSection={<IconPlus size={14} />} onClick={() => setEdit({ kind: 'create' })}>
          {t('users.new')}
        </Button>
      }
    >
      <Toolbar>
        <SearchBox
          label={t('users.search')}
          value={search.q ?? ''}
          onChange={(q) => void navigate({ search: { q: q || undefined }, replace: true })}
        />
      </Toolbar>
      {query.error ? (
        <Failure error={query.error} retry={() => void query.refetch()} />
      ) : !query.data ? (
        <Loading />
      ) : query.data.length === 0 ? (
        <Empty title={t('users.noneFound')} />
      ) : (
        <DataTable
          label={t('nav.users')}
          rows={query.data}
          columns={columns}
          rowKey={(user) => user.id}
          compact={(user) => <CompactUser user={user} onEdit={setEdit} />}
          footer={t('users.count', { count: query.data.length })}
        />
      )}
      {edit && <UserDialog edit={edit} onClose={() => setEdit(undefined)} />}
    </Page>
  )
}

function UserState({ user }: { user: User }) {
  const { t } = useTranslation()
  if (user.is_disabled) {
    return (
      <Mark tone="skipped" icon={<IconBan size={14} />}>
        {t('users.disabled')}
      </Mark>
    )
  }
  return (
    <Mark tone="succeeded" icon={<IconCircleCheckFilled size={14} />}>
      {t('users.enabled')}
    </Mark>
  )
}

function AdminMark() {
  const { t } = useTranslation()
  return (
    <Mark tone="running" icon={<IconShieldFilled size={13} />}>
      {t('users.admin')}
    </Mark>
  )
}

function useUserColumns(onEdit: (edit: UserEdit) => void): Column<User>[] {
  const { t } = useTranslation()
  return useMemo(
    () => [
      {
        key: 'login',
        title: t('signIn.login'),
        width: 'minmax(120px, 1fr)',
        cell: (user) => <b style={{ fontWeight: 500 }}>{user.login}</b>,
      },
      {
        key: 'name',
        title: t('users.name'),
        width: 'minmax(120px, 1.4fr)',
        cell: (user) => user.display_name,
      },
      { key: 'state', title: t('filter.state'), width: '110px', cell: (user) => <UserState user={user} /> },
      {
        key: 'admin',
        title: t('users.rights'),
        width: '140px',
        cell: (user) => user.is_admin && <AdminMark />,
      },
      {
        key: 'seen',
        title: t('users.lastSignIn'),
        width: '130px',
        from: 760,
        cell: (user) =>
          user.last_sign_in_at ? (
            <Ago at={user.last_sign_in_at} />
          ) : (
            <span className="faint">{t('users.never')}</span>
          ),
      },
      {
        key: 'created',
        title: t('users.created'),
        width: '130px',
        from: 900,
        cell: (user) => <Ago at={user.created_at} />,
      },
      {
        key: 'actions',
        title: <span className="sr">{t('common.actions')}</span>,
        width: '30px',
        cell: (user) => <UserMenu user={user} onEdit={onEdit} />,
      },
    ],
    [t, onEdit],
  )
}

function UserMenu({ user, onEdit }: { user: User; onEdit: (edit: UserEdit) => void }) {
  const { t } = useTranslation()
  const confirm = useConfirm()
  const client = useQueryClient()
  const setDisabled = async (isDisabled: boolean) => {
    await updateUser(user.id, { is_disabled: isDisabled })
    await client.invalidateQueries({ queryKey: ['users'] })
    notifyDone(t(isDisabled ? 'users.disabledDone' : 'users.enabledDone', { user: user.login }))
  }
  const disable = () =>
    confirm({
      title: t('users.disableTitle', { user: user.login }),
      consequence: t('users.disableText'),
      action: t('users.disable'),
      run: () => setDisabled(true),
    })
  return (
    <Menu position="bottom-end" width={200}>
      <Menu.Target>
        <ActionIcon aria-label={t('users.moreNamed', { user: user.login })} className={aboveRow}>
          <IconDots size={15} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => onEdit({ kind: 'edit', user })}>
          {t('common.edit')}
        </Menu.Item>
        <Menu.Item leftSection={<IconKey size={15} />} onClick={() => onEdit({ kind: 'password', user })}>
          {t('users.resetPassword')}
        </Menu.Item>
        {user.is_disabled ? (
          <Menu.Item
            leftSection={<IconCircleCheckFilled size={15} />}
            onClick={() => void setDisabled(false).catch(notifyError)}
          >
            {t('users.enable')}
          </Menu.Item>
        ) : (
          <Menu.Item color="red" leftSection={<IconBan size={15} />} onClick={disable}>
            {t('users.disable')}
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  )
}

function CompactUser({ user, onEdit }: { user: User; onEdit: (edit: UserEdit) => void }) {
  return (
    <span style={{ display: 'flex', gap: 12, alignItems: 'center' }}>
      <span style={{ flex: 1, minWidth: 0 }}>
        <b style={{ fontWeight: 500 }}>{user.login}</b> <span className="dim">{user.display_name}</span>
        <br />
        {user.is_admin ? <AdminMark /> : <UserState user={user} />}
      </span>
      <UserMenu user={user} onEdit={onEdit} />
    </span>
  )
}
