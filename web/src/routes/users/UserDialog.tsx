import { Button, Modal, Stack, Switch, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError, errorText } from '../../api/error'
import type { User } from '../../api/types'
import { createUser, updateUser } from '../../api/users'
import { isPasswordLongEnough, PasswordField } from '../../features/session/PasswordField'
import { notifyDone } from '../../ui/notify'

/** What the dialog is for. */
export type UserEdit = { kind: 'create' } | { kind: 'edit'; user: User } | { kind: 'password'; user: User }

/** Creates a user, changes name and rights, or sets a new password. */
export function UserDialog({ edit, onClose }: { edit: UserEdit; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const user = edit.kind === 'create' ? undefined : edit.user
  const [login, setLogin] = useState('')
  const [name, setName] = useState(user?.display_name ?? '')
  const [isAdmin, setAdmin] = useState(user?.is_admin ?? false)
  const [password, setPassword] = useState('')
  const save = useMutation({
    mutationFn: () => {
      if (edit.kind === 'create') {
        return createUser({
          login: login.trim(),
          password,
          display_name: name.trim() || null,
          is_admin: isAdmin,
        })
      }
      return edit.kind === 'edit'
        ? updateUser(edit.user.id, { display_name: name.trim(), is_admin: isAdmin })
        : updateUser(edit.user.id, { password })
    },
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: ['users'] })
      await client.invalidateQueries({ queryKey: ['session'] })
      notifyDone(t(`users.done.${edit.kind}`, { user: saved.login }))
      onClose()
    },
  })
  const refused = save.error ? asApiError(save.error) : undefined
  const errorAt = (field: string) => (refused?.field === field ? errorText(refused) : undefined)
  const isElsewhere = refused && !['login', 'display_name', 'password'].includes(refused.field ?? '')
  const needsPassword = edit.kind !== 'edit'
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t(`users.title.${edit.kind}`, { user: user?.login ?? '' })}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <form onSubmit={submit}>
        <Stack gap={14}>
          {isElsewhere && (
            <p role="alert" className="danger">
              {errorText(refused)}
            </p>
          )}
          {edit.kind === 'password' && <p className="dim">{t('users.resetText')}</p>}
          {edit.kind === 'create' && (
            <TextInput
              label={t('signIn.login')}
              description={t('users.loginRule')}
              value={login}
              maxLength={64}
              required
              withAsterisk={false}
              autoCapitalize="none"
              spellCheck={false}
              autoComplete="off"
              data-autofocus
              onChange={(event) => setLogin(event.currentTarget.value)}
              error={errorAt('login')}
            />
          )}
          {edit.kind !== 'password' && (
            <TextInput
              label={t('users.name')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={errorAt('display_name')}
            />
          )}
          {needsPassword && (
            <PasswordField
              label={t('signIn.password')}
              value={password}
              onChange={setPassword}
              error={errorAt('password')}
            />
          )}
          {edit.kind !== 'password' && (
            <Switch
              label={t('users.admin')}
              description={t('users.adminText')}
              checked={isAdmin}
              onChange={(event) => setAdmin(event.currentTarget.checked)}
            />
          )}
          <Button
            type="submit"
            loading={save.isPending}
            disabled={needsPassword && !isPasswordLongEnough(password)}
            style={{ alignSelf: 'flex-end' }}
          >
            {edit.kind === 'create' ? t('users.create') : t('common.save')}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
