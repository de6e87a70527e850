import { Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useRouter } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { errorText } from '../../api/error'
import { meQuery, signIn } from '../../api/session'
import { Gate, Refusal } from './Gate'

const route = getRouteApi('/sign-in')

/** Sign in and go where one wanted to. */
export function SignInPage() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const router = useRouter()
  const { to } = route.useSearch()
  const [login, setLogin] = useState('')
  const [password, setPassword] = useState('')
  const enter = useMutation({
    mutationFn: () => signIn(login, password),
    onSuccess: (me) => {
      client.setQueryData(meQuery.queryKey, me)
      // Only addresses of this console: a link from outside must not send people elsewhere.
      router.history.push(to && /^\/(?![/\\])/.test(to) ? to : '/')
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    enter.mutate()
  }
  return (
    <Gate title={t('signIn.title')} text={t('signIn.text')}>
      <form onSubmit={submit}>
        <Stack gap={12}>
          {enter.error && <Refusal>{errorText(enter.error)}</Refusal>}
          <TextInput
            size="sm"
            label={t('signIn.login')}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            withAsterisk={false}
            data-autofocus
            autoFocus
            value={login}
            onChange={(event) => setLogin(event.currentTarget.value)}
          />
          <PasswordInput
            size="sm"
            label={t('signIn.password')}
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            visibilityToggleButtonProps={{ 'aria-label': t('signIn.show') }}
          />
          <Button type="submit" size="sm" mt={6} loading={enter.isPending}>
            {t('signIn.action')}
          </Button>
        </Stack>
      </form>
    </Gate>
  )
}
