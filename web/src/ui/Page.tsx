import type { ReactNode } from 'react'
import { useEffect } from 'react'
import classes from './Page.module.css'

interface PageProps {
  /** The heading; also the tab's title unless `documentTitle` is given. */
  title: ReactNode
  documentTitle?: string
  /** Where this page belongs, before the heading. */
  parent?: ReactNode
  /** State of the thing the page is about, beside the heading. */
  state?: ReactNode
  /** At most two primary actions. */
  actions?: ReactNode
  /** The page fills the window and its content scrolls inside, as tables do. */
  isFilled?: boolean
  children: ReactNode
}

/** Header with title, state and actions; the content below. */
export function Page({ title, documentTitle, parent, state, actions, isFilled, children }: PageProps) {
  const name = documentTitle ?? (typeof title === 'string' ? title : undefined)
  useEffect(() => {
    document.title = name ? `${name} · Cronfleet` : 'Cronfleet'
  }, [name])
  return (
    <div className={isFilled ? classes.filled : classes.page}>
      <header className={classes.header}>
        {parent && <div className={classes.parent}>{parent}</div>}
        <h1 className={classes.title}>{title}</h1>
        {state && <div className={classes.state}>{state}</div>}
        <div className={classes.actions}>{actions}</div>
      </header>
      <div className={isFilled ? classes.fill : classes.body}>{children}</div>
    </div>
  )
}

/** A part of a page with a small heading. */
export function Section({
  title,
  aside,
  children,
}: {
  title: ReactNode
  aside?: ReactNode
  children: ReactNode
}) {
  return (
    <section className={classes.section}>
      <div className={classes.sectionHead}>
        <h2 className={classes.sectionTitle}>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  )
}

/** The row of filters between header and table. */
export function Toolbar({ children }: { children: ReactNode }) {
  return <div className={classes.toolbar}>{children}</div>
}
