import { ActionIcon, Button, Tooltip, useMantineColorScheme } from '@mantine/core'
import { IconMoon, IconSun } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { chooseLanguage } from '../../i18n'
import { LANGUAGE_NAMES } from '../shell/AccountMenu'
import { Logo } from '../shell/Shell'
import classes from './Gate.module.css'

/** The frame of the pages before the sign-in: a form in the middle, language and theme in the corner. */
export function Gate({ title, text, children }: { title: string; text: ReactNode; children: ReactNode }) {
  const { t, i18n } = useTranslation()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const other = i18n.language === 'en' ? 'zh-CN' : 'en'
  const isDark =
    colorScheme === 'dark' || (colorScheme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches)
  useEffect(() => {
    document.title = `${title} · Cronfleet`
  }, [title])
  return (
    <div className={classes.gate}>
      <div className={classes.corner}>
        <Button
          variant="subtle"
          color="gray"
          size="compact-sm"
          lang={other}
          onClick={() => void chooseLanguage(other)}
        >
          {LANGUAGE_NAMES[other]}
        </Button>
        <Tooltip label={t(isDark ? 'account.theme.light' : 'account.theme.dark')}>
          <ActionIcon
            aria-label={t(isDark ? 'account.theme.light' : 'account.theme.dark')}
            onClick={() => setColorScheme(isDark ? 'light' : 'dark')}
          >
            {isDark ? <IconSun size={16} /> : <IconMoon size={16} />}
          </ActionIcon>
        </Tooltip>
      </div>
      <main className={classes.main}>
        <div className={classes.brand}>
          <Logo size={30} />
          <span>Cronfleet</span>
        </div>
        <h1 className={classes.title}>{title}</h1>
        <div className={classes.text}>{text}</div>
        {children}
      </main>
    </div>
  )
}

/** Why the form was refused. */
export function Refusal({ children }: { children: ReactNode }) {
  return (
    <p role="alert" className={classes.refusal}>
      {children}
    </p>
  )
}
