import { Avatar, Menu, UnstyledButton, useMantineColorScheme } from '@mantine/core'
import {
  IconCheck,
  IconDeviceDesktop,
  IconKeyboard,
  IconLogout,
  IconMoon,
  IconSun,
  IconUserCircle,
} from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { signOut } from '../../api/session'
import { useMe } from '../../features/session/useMe'
import { chooseLanguage, LANGUAGES } from '../../i18n'
import { notifyError } from '../../ui/notify'
import classes from './AccountMenu.module.css'

const SCHEMES = [
  { value: 'auto', icon: IconDeviceDesktop },
  { value: 'light', icon: IconSun },
  { value: 'dark', icon: IconMoon },
] as const

export const LANGUAGE_NAMES = { en: 'English', 'zh-CN': '简体中文' } as const

/** Who is signed in; appearance, language, account, sign out. */
export function AccountMenu({ isFolded, onHelp }: { isFolded: boolean; onHelp: () => void }) {
  const { t, i18n } = useTranslation()
  const me = useMe()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const leave = useSignOut()
  const tick = <IconCheck size={14} aria-hidden />
  return (
    <Menu position="top-start" width={220}>
      <Menu.Target>
        <UnstyledButton
          className={classes.button}
          aria-label={t('shell.account', { name: me.user.display_name })}
        >
          <Avatar size={22} radius={6} color="accent" name={me.user.display_name} />
          {!isFolded && <span className="clip">{me.user.display_name}</span>}
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t('account.appearance')}</Menu.Label>
        {SCHEMES.map((scheme) => (
          <Menu.Item
            key={scheme.value}
            leftSection={<scheme.icon size={15} stroke={1.6} />}
            rightSection={colorScheme === scheme.value && tick}
            closeMenuOnClick={false}
            onClick={() => setColorScheme(scheme.value)}
          >
            {t(`account.theme.${scheme.value}`)}
          </Menu.Item>
        ))}
        <Menu.Label>{t('account.language')}</Menu.Label>
        {LANGUAGES.map((language) => (
          <Menu.Item
            key={language}
            lang={language}
            rightSection={i18n.language === language && tick}
            closeMenuOnClick={false}
            onClick={() => void chooseLanguage(language)}
          >
            {LANGUAGE_NAMES[language]}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<IconKeyboard size={15} stroke={1.6} />} onClick={onHelp}>
          {t('shell.shortcuts')}
        </Menu.Item>
        <Menu.Item
          leftSection={<IconUserCircle size={15} stroke={1.6} />}
          renderRoot={(props) => <Link to="/account" {...props} />}
        >
          {t('account.title')}
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={15} stroke={1.6} />} onClick={leave}>
          {t('account.signOut')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}

/** Ends the session and goes to the sign-in. */
export function useSignOut(): () => Promise<void> {
  const client = useQueryClient()
  const navigate = useNavigate()
  return async () => {
    try {
      await signOut()
      client.clear()
      await navigate({ to: '/sign-in', search: {} })
    } catch (thrown) {
      notifyError(thrown)
    }
  }
}
