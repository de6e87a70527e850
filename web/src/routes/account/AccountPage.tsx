import { Button, PasswordInput, SegmentedControl, Stack, useMantineColorScheme } from '@mantine/core'
import { IconLogout, IconShieldFilled } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError, errorText } from '../../api/error'
import { aboutQuery, changePassword } from '../../api/session'
import { RoleMark } from '../../features/group/RoleMark'
import { isPasswordLongEnough, PasswordField } from '../../features/session/PasswordField'
import { useMe } from '../../features/session/useMe'
import { chooseLanguage, LANGUAGES, type Language } from '../../i18n'
import { viewerZone } from '../../lib/time'
import { Facts } from '../../ui/Facts'
import { Mark } from '../../ui/Mark'
import { notifyDone } from '../../ui/notify'
import { Page, Section } from '../../ui/Page'
import { AtAndAgo } from '../../ui/Time'
import { LANGUAGE_NAMES, useSignOut } from '../shell/AccountMenu'

/** Who am I here, what may I do, and how should it look? */
export function AccountPage() {
  const { t } = useTranslation()
  const me = useMe()
  const leave = useSignOut()
  return (
    <Page
      title={t('account.title')}
      actions={
        <Button variant="default" leftSection={<IconLogout size={14} />} onClick={() => void leave()}>
          {t('account.signOut')}
        </Button>
      }
    >
      <div style={{ maxWidth: 620 }}>
        <Section title={t('account.who')}>
          <Facts
            items={[
              [t('signIn.login'), me.user.login],
              [t('users.name'), me.user.display_name],
              [
                t('users.rights'),
                me.user.is_admin ? (
                  <Mark tone="running" icon={<IconShieldFilled size={13} />}>
                    {t('users.admin')}
                  </Mark>
                ) : (
                  me.roles.length === 0 && t('account.noRoles')
                ),
              ],
              ...me.roles.map((role): [React.ReactNode, React.ReactNode] => [
                <Link key={role.group_id} to="/groups/$groupId" params={{ groupId: role.group_id }}>
                  {role.group_name}
                </Link>,
                <RoleMark key="role" role={role.role} />,
              ]),
              [t('users.lastSignIn'), me.user.last_sign_in_at && <AtAndAgo at={me.user.last_sign_in_at} />],
            ]}
          />
        </Section>
        <Appearance />
        <Password />
        <About />
      </div>
    </Page>
  )
}

function Appearance() {
  const { t, i18n } = useTranslation()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  return (
    <Section title={t('account.appearance')}>
      <Facts
        items={[
          [
            t('account.themeLabel'),
            <SegmentedControl
              key="theme"
              aria-label={t('account.themeLabel')}
              value={colorScheme}
              onChange={setColorScheme}
              data={(['auto', 'light', 'dark'] as const).map((value) => ({
                value,
                label: t(`account.theme.${value}`),
              }))}
            />,
          ],
          [
            t('account.language'),
            <SegmentedControl
              key="language"
              aria-label={t('account.language')}
              value={i18n.language}
              onChange={(language) => void chooseLanguage(language as Language)}
              data={LANGUAGES.map((value) => ({ value, label: LANGUAGE_NAMES[value] }))}
            />,
          ],
          [t('schedule.zone'), `${viewerZone()} (${t('account.zoneText')})`],
        ]}
      />
    </Section>
  )
}

function Password() {
  const { t } = useTranslation()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const save = useMutation({
    mutationFn: () => changePassword(current, next),
    onSuccess: () => {
      setCurrent('')
      setNext('')
      notifyDone(t('account.passwordDone'))
    },
  })
  const refused = save.error ? asApiError(save.error) : undefined
  const isNew = refused?.field === 'new'
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Section title={t('account.password')}>
      <form onSubmit={submit}>
        <Stack gap={12} maw={340}>
          <PasswordInput
            label={t('account.current')}
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
            error={refused && !isNew ? errorText(refused) : undefined}
            visibilityToggleButtonProps={{ 'aria-label': t('signIn.show') }}
          />
          <PasswordField
            label={t('account.new')}
            value={next}
            onChange={setNext}
            error={isNew ? errorText(refused) : undefined}
          />
          <p className="dim">{t('account.passwordText')}</p>
          <Button
            type="submit"
            loading={save.isPending}
            disabled={!isPasswordLongEnough(next)}
            style={{ alignSelf: 'flex-start' }}
          >
            {t('account.change')}
          </Button>
        </Stack>
      </form>
    </Section>
  )
}

function About() {
  const { t } = useTranslation()
  const about = useQuery(aboutQuery).data
  if (!about) return null
  return (
    <Section title={t('account.about')}>
      <Facts
        items={[
          ['Cronfleet', about.version],
          [t('account.tzdb'), about.tzdb_version],
          [t('account.engine'), about.engine],
          [t('agents.join.center'), <code key="address">{about.agent_address}</code>],
        ]}
      />
    </Section>
  )
}
