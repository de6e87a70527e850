import type { ReactNode } from 'react'
import classes from './Mark.module.css'

/** The colours that carry meaning. Each always comes with an icon and a word. */
export type Tone = 'succeeded' | 'failed' | 'running' | 'waiting' | 'skipped' | 'missed' | 'lost'

/** A state: icon, word, colour. */
export function Mark({
  tone,
  icon,
  children,
  isSoft,
}: {
  tone: Tone
  icon: ReactNode
  children: ReactNode
  isSoft?: boolean
}) {
  return (
    <span
      className={isSoft ? classes.soft : classes.mark}
      style={{ '--tone': `var(--${tone})` } as React.CSSProperties}
    >
      {icon}
      <span>{children}</span>
    </span>
  )
}

/** A quiet label, such as a version or a kind. */
export function Label({ children }: { children: ReactNode }) {
  return <span className={classes.label}>{children}</span>
}
