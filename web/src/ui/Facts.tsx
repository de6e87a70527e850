import type { ReactNode } from 'react'
import classes from './Facts.module.css'

/** Names and values, aligned. Empty values are left out. */
export function Facts({
  items,
  columns = 1,
}: {
  items: readonly [ReactNode, ReactNode][]
  columns?: 1 | 2 | 3
}) {
  const shown = items.filter(
    ([, value]) => value !== undefined && value !== null && value !== '' && value !== false,
  )
  return (
    <dl className={classes.facts} data-columns={columns}>
      {shown.map(([name, value], nth) => (
        <div key={nth} className={classes.fact}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
