import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, type RefObject, useEffect, useLayoutEffect, useRef, useState } from 'react'
import classes from './DataTable.module.css'

/** One column. */
export interface Column<T> {
  readonly key: string
  readonly title: ReactNode
  /** Width as a grid track: `96px`, `minmax(160px, 2fr)`. */
  readonly width: string
  readonly align?: 'end'
  /** Left out when the table is narrower than this, in px. */
  readonly from?: number
  readonly cell: (row: T) => ReactNode
}

interface DataTableProps<T> {
  /** What the table lists, for screen readers. */
  label: string
  rows: readonly T[]
  columns: readonly Column<T>[]
  rowKey: (row: T) => string
  /** One row on a phone: two short lines instead of columns. */
  compact: (row: T) => ReactNode
  /** Called when the last rows come near. */
  onNearEnd?: () => void
  /** Called with the first and last row on the screen whenever they change. */
  onRange?: (first: number, last: number) => void
  /** Below the last row: what loads, or that there is no more. */
  footer?: ReactNode
}

const ROW = 32
const ROW_COMPACT = 58
/** A narrower table shows each row as two lines. */
const COMPACT_BELOW = 560

/** A table of any length: only the rows on the screen exist. A link marked with `rowLink` covers its whole row. */
export function DataTable<T>(props: DataTableProps<T>) {
  const { rows, rowKey, onNearEnd, onRange } = props
  const scroller = useRef<HTMLDivElement>(null)
  const width = useWidth(scroller)
  const isCompact = width < COMPACT_BELOW
  const columns = props.columns.filter((column) => (column.from ?? 0) <= width)
  const rowHeight = isCompact ? ROW_COMPACT : ROW
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    getItemKey: (index) => {
      const row = rows[index]
      return row === undefined ? index : rowKey(row)
    },
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: measures anew when the row height changes, not otherwise
  useEffect(() => virtual.measure(), [rowHeight])

  const items = virtual.getVirtualItems()
  const first = virtual.range?.startIndex ?? 0
  const last = virtual.range?.endIndex ?? 0
  useEffect(() => {
    onRange?.(first, last)
    if (rows.length > 0 && last >= rows.length - 40) onNearEnd?.()
  }, [first, last, rows.length, onNearEnd, onRange])

  const template = columns.map((column) => column.width).join(' ')
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard
    <div ref={scroller} className={classes.scroller} tabIndex={0} role="region" aria-label={props.label}>
      <div role="table" aria-label={props.label} aria-rowcount={rows.length + 1}>
        {!isCompact && (
          <div
            role="row"
            className={classes.head}
            style={{ gridTemplateColumns: template }}
            aria-rowindex={1}
          >
            {columns.map((column) => (
              <div
                role="columnheader"
                key={column.key}
                className={column.align === 'end' ? classes.end : undefined}
              >
                {column.title}
              </div>
            ))}
          </div>
        )}
        <div role="rowgroup" className={classes.body} style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index]
            if (row === undefined) return null
            return (
              <div
                role="row"
                key={item.key}
                aria-rowindex={item.index + 2}
                className={isCompact ? classes.compact : classes.row}
                style={{
                  height: rowHeight,
                  transform: `translateY(${item.start}px)`,
                  gridTemplateColumns: isCompact ? undefined : template,
                }}
              >
                {isCompact ? (
                  <div role="cell" className={classes.compactCell}>
                    {props.compact(row)}
                  </div>
                ) : (
                  columns.map((column) => (
                    <div
                      role="cell"
                      key={column.key}
                      className={column.align === 'end' ? classes.end : classes.cell}
                    >
                      {column.cell(row)}
                    </div>
                  ))
                )}
              </div>
            )
          })}
        </div>
      </div>
      {props.footer && <div className={classes.footer}>{props.footer}</div>}
    </div>
  )
}

/** Class of a link that covers its whole row. */
export const rowLink = classes.rowLink ?? ''
/** Class of a control that stays above the row's link. */
export const aboveRow = classes.above ?? ''

/** Width of the table in px; before it is measured, a guess by the window. */
function useWidth(element: RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(() => window.innerWidth)
  useLayoutEffect(() => {
    const box = element.current
    if (!box) return
    setWidth(box.offsetWidth)
    const observer = new ResizeObserver(() => setWidth(box.offsetWidth))
    observer.observe(box)
    return () => observer.disconnect()
  }, [element])
  return width
}
