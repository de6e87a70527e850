import { ActionIcon, Drawer, Kbd, Tooltip, UnstyledButton } from '@mantine/core'
import { useDisclosure, useLocalStorage, useMediaQuery } from '@mantine/hooks'
import { IconLayoutSidebar, IconMenu2, IconSearch } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { onSignedOut } from '../../api/client'
import { followEvents } from '../../api/events'
import { Refresher } from '../../api/refresh'
import { aboutQuery } from '../../api/session'
import { canAnywhere, useMe } from '../../features/session/useMe'
import { AccountMenu } from './AccountMenu'
import { ConnectionMark } from './ConnectionMark'
import { HelpDialog } from './HelpDialog'
import { Nav } from './Nav'
import classes from './Shell.module.css'
import { useShortcuts } from './useShortcuts'

const Palette = lazy(() => import('./Palette').then((module) => ({ default: module.Palette })))

/** The frame around every page: navigation, connection, palette, shortcuts. */
export function Shell() {
  const { t } = useTranslation()
  const me = useMe()
  const navigate = useNavigate()
  const isPhone = useMediaQuery('(max-width: 640px)', false, { getInitialValueInEffect: false })
  const [isFolded, setFolded] = useLocalStorage({
    key: 'cronfleet.nav',
    defaultValue: false,
    getInitialValueInEffect: false,
  })
  const [isDrawerOpen, drawer] = useDisclosure(false)
  const [isHelpOpen, help] = useDisclosure(false)
  const [isPaletteOpen, palette] = useDisclosure(false)
  const [wasPaletteOpen, setWasPaletteOpen] = useState(false)
  const path = useRouterState({ select: (state) => state.location.pathname })
  useQuery(aboutQuery)
  useEvents()

  // biome-ignore lint/correctness/useExhaustiveDependencies: the drawer closes whenever the page changes
  useEffect(() => drawer.close(), [path])

  const openPalette = () => {
    setWasPaletteOpen(true)
    palette.open()
  }
  useShortcuts({
    palette: openPalette,
    help: help.open,
    create: () => {
      if (canAnywhere(me, 'editor')) void navigate({ to: '/jobs/new', search: {} })
    },
    go: (to) => void navigate({ to, search: {} }),
  })

  const nav = (isNarrow: boolean) => (
    <>
      <div className={classes.brand}>
        <Logo />
        {!isNarrow && <span className={classes.name}>Cronfleet</span>}
      </div>
      <UnstyledButton
        className={isNarrow ? classes.findNarrow : classes.find}
        onClick={openPalette}
        aria-label={t('shell.palette')}
      >
        <IconSearch size={14} aria-hidden />
        {!isNarrow && (
          <>
            <span>{t('shell.find')}</span>
            <Kbd size="xs">Ctrl K</Kbd>
          </>
        )}
      </UnstyledButton>
      <Nav isFolded={isNarrow} />
      <div className={classes.foot}>
        <ConnectionMark isFolded={isNarrow} />
        <div className={classes.footRow} data-folded={isNarrow || undefined}>
          <AccountMenu isFolded={isNarrow} onHelp={help.open} />
          {!isPhone && (
            <Tooltip label={isFolded ? t('shell.unfold') : t('shell.fold')} position="right">
              <ActionIcon
                onClick={() => setFolded(!isFolded)}
                aria-label={isFolded ? t('shell.unfold') : t('shell.fold')}
              >
                <IconLayoutSidebar size={16} stroke={1.6} />
              </ActionIcon>
            </Tooltip>
          )}
        </div>
      </div>
    </>
  )

  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#content">
        {t('shell.skip')}
      </a>
      {isPhone ? (
        <>
          <header className={classes.phoneBar}>
            <ActionIcon onClick={drawer.open} aria-label={t('shell.menu')} size={36}>
              <IconMenu2 size={20} />
            </ActionIcon>
            <Logo />
            <span className={classes.name}>Cronfleet</span>
            <ActionIcon onClick={openPalette} aria-label={t('shell.palette')} size={36} ml="auto">
              <IconSearch size={18} />
            </ActionIcon>
          </header>
          <Drawer
            opened={isDrawerOpen}
            onClose={drawer.close}
            size={248}
            withCloseButton={false}
            padding={0}
            title={undefined}
            aria-label={t('shell.menu')}
          >
            <div className={classes.drawer}>{nav(false)}</div>
          </Drawer>
        </>
      ) : (
        <aside className={classes.side} data-folded={isFolded || undefined}>
          {nav(isFolded)}
        </aside>
      )}
      <main id="content" className={classes.content} tabIndex={-1}>
        <Outlet />
      </main>
      <HelpDialog isOpen={isHelpOpen} onClose={help.close} />
      {wasPaletteOpen && (
        <Suspense>
          <Palette isOpen={isPaletteOpen} onClose={palette.close} onHelp={help.open} />
        </Suspense>
      )}
    </div>
  )
}

/** Keeps everything that is shown up to date, and leaves for the sign-in when the session is over. */
function useEvents(): void {
  const client = useQueryClient()
  const navigate = useNavigate()
  useEffect(() => {
    const stop = followEvents(new Refresher(client))
    const unlisten = onSignedOut(() => {
      const to = location.pathname + location.search
      client.clear()
      void navigate({ to: '/sign-in', search: { to } })
    })
    return () => {
      stop()
      unlisten()
    }
  }, [client, navigate])
}

export function Logo({ size = 22 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true" className={classes.logo}>
      <rect width="32" height="32" rx="7" fill="#3f4bd1" />
      <g fill="none" stroke="#fff" strokeLinecap="round" strokeWidth="3">
        <path d="M23.5 10.2A9.5 9.5 0 1 0 25.5 16" />
        <path d="M16 10.5V16l4 2.6" />
      </g>
      <circle cx="25" cy="11.6" r="1.9" fill="#8ff0b5" />
    </svg>
  )
}
