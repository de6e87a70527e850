import { useEffect, useRef } from 'react'

const PAGES: Record<string, '/jobs' | '/runs' | '/daemons' | '/agents' | '/groups'> = {
  j: '/jobs',
  r: '/runs',
  d: '/daemons',
  a: '/agents',
  u: '/groups',
}

interface Shortcuts {
  palette: () => void
  help: () => void
  create: () => void
  go: (to: '/jobs' | '/runs' | '/daemons' | '/agents' | '/groups') => void
}

/** The keys that work on every page. Single letters only while nothing is being typed and no dialog is open. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const current = useRef(shortcuts)
  useEffect(() => {
    current.current = shortcuts
  })
  useEffect(() => {
    let goUntil = 0
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        current.current.palette()
        return
      }
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isBusy(event.target)) return
      const isGoing = event.timeStamp < goUntil
      goUntil = 0
      const page = isGoing ? PAGES[event.key] : undefined
      if (page) current.current.go(page)
      else if (event.key === 'g') goUntil = event.timeStamp + 1_200
      else if (event.key === '/') focusSearch()
      else if (event.key === '?') current.current.help()
      else if (event.key === 'n') current.current.create()
      else return
      event.preventDefault()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
}

function isBusy(target: EventTarget | null): boolean {
  if (document.querySelector('[role="dialog"]')) return true
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  )
}

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>('input[data-search]')
  field?.focus()
  field?.select()
}
