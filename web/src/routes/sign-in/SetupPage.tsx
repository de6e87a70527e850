import { Button, Stack, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError, errorText } from '../../api/error'
import { meQuery, setUp } from '../../api/session'
import { isPasswordLongEnough, PasswordField } from '../../features/session/PasswordField'
import { Gate, Refusal } from './Gate'

const route = getRouteApi('/setup')

/** First start: the setup code makes the first administrator. */
export function SetupPage() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const search = route.useSearch()
  const [code, setCode] = useState(search.code ?? '')
  const [login, setLogin] = useState('admin')
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const create = useMutation({
    mutationFn: () =>
      setUp({ code: code.trim(), login: login.trim(), password, display_name: name.trim() || null }),
    onSuccess: async (me) => {
      client.removeQueries({ queryKey: ['setup'] })
      client.setQueryData(meQuery.queryKey, me)
      await navigate({ to: '/jobs', search: {} })
    },
  })
  const refused = create.error ? asApiError(create.error) : undefined
  const fieldError = (field: string) => (refused?.field === field ? errorText(refused) : undefined)
  const isElsewhere = refused && !['code', 'login', 'password', 'display_name'].includes(refused.field ?? '')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate()
  }
  return (
    <Gate title={t('setup.title')} text={t('setup.text')}>
      <form onSubmit={submit}>
        <Stack gap={12}>
          {isElsewhere && <Refusal>{errorText(refused)}</Refusal>}
          <TextInput
            size="sm"
            label={t('setup.code')}
            description={t('setup.codeHint')}
            classNames={{ input: 'mono' }}
            autoComplete="off"
            spellCheck={false}
            required
            withAsterisk={false}
            autoFocus
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
            error={fieldError('code')}
          />
          <TextInput
            size="sm"
            label={t('signIn.login')}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            withAsterisk={false}
            value={login}
            onChange={(event) => setLogin(event.currentTarget.value)}
            error={fieldError('login')}
          />
          <TextInput
            size="sm"
            label={t('setup.name')}
            autoComplete="name"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={fieldError('display_name')}
          />
          <PasswordField
            size="sm"
            label={t('signIn.password')}
            value={password}
            onChange={setPassword}
            error={fieldError('password')}
          />
          <Button
            type="submit"
            size="sm"
            mt={6}
            loading={create.isPending}
            disabled={!isPasswordLongEnough(password)}
          >
            {t('setup.action')}
          </Button>
        </Stack>
      </form>
    </Gate>
  )
}
