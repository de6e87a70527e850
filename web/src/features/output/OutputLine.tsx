import { type CSSProperties, memo, type ReactNode, type Ref } from 'react'
import { useTranslation } from 'react-i18next'
import { bytes } from '../../lib/bytes'
import type { Line } from '../../lib/lines'
import { type Colour, type Piece, pieces, type Style } from '../../lib/sgr'
import { clock } from '../../lib/time'
import classes from './OutputView.module.css'

interface OutputLineProps {
  ref?: Ref<HTMLDivElement>
  index: number
  line: Line
  top: number
  /** Places of the largest line number. */
  digits: number
  hasTime: boolean
  query: string
  isCurrent: boolean
}

/** One line: number, time, text with its colours. All of it text nodes. */
export const OutputLine = memo(function OutputLine(props: OutputLineProps) {
  const { i18n, t } = useTranslation()
  const { line } = props
  return (
    <div
      ref={props.ref}
      data-index={props.index}
      className={classes.line}
      data-stream={line.stream}
      data-current={props.isCurrent || undefined}
      style={{ transform: `translateY(${props.top}px)` }}
    >
      <span className={classes.number} style={{ minWidth: `${props.digits + 1}ch` }}>
        {line.number}
      </span>
      {props.hasTime && (
        <span className={classes.time}>{clock(line.at, i18n.language, undefined, true)}</span>
      )}
      <span className={classes.text}>
        {line.stream === 'gap'
          ? t('output.gap', { bytes: bytes(line.droppedBytes, i18n.language) })
          : marked(pieces(line.text, line.style).pieces, props.query)}
      </span>
    </div>
  )
})

/** The pieces as elements; what matches the search is marked, also across a change of colour. */
function marked(list: readonly Piece[], query: string): ReactNode[] {
  const wanted = query.toLowerCase()
  const text = list
    .map((piece) => piece.text)
    .join('')
    .toLowerCase()
  const cuts: number[] = []
  for (let at = wanted ? text.indexOf(wanted) : -1; at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
    cuts.push(at, at + wanted.length)
  }
  const nodes: ReactNode[] = []
  let offset = 0
  for (const piece of list) {
    const end = offset + piece.text.length
    const inner = [offset, ...cuts.filter((cut) => cut > offset && cut < end), end]
    for (let nth = 0; nth + 1 < inner.length; nth += 1) {
      const from = inner[nth] ?? 0
      const part = piece.text.slice(from - offset, (inner[nth + 1] ?? 0) - offset)
      const isMatch = cuts.some(
        (cut, place) => place % 2 === 0 && from >= cut && from < (cuts[place + 1] ?? 0),
      )
      const style = styleOf(piece.style)
      if (isMatch) nodes.push(<mark key={from}>{part}</mark>)
      else if (style)
        nodes.push(
          <span key={from} style={style}>
            {part}
          </span>,
        )
      else nodes.push(part)
    }
    offset = end
  }
  return nodes
}

function styleOf(style: Style): CSSProperties | undefined {
  if (Object.keys(style).length === 0) return undefined
  const fg = style.isInverse ? (style.bg ?? 'var(--bg-code)') : style.fg
  const bg = style.isInverse ? (style.fg ?? 'var(--text)') : style.bg
  return {
    color: colour(fg),
    backgroundColor: colour(bg),
    fontWeight: style.isBold ? 650 : undefined,
    opacity: style.isDim ? 0.7 : undefined,
    fontStyle: style.isItalic ? 'italic' : undefined,
    textDecoration: style.isUnderlined ? 'underline' : style.isStruck ? 'line-through' : undefined,
  }
}

/** The terminal's 16 colours come from the theme, bright ones with a little more of the text's colour. */
function colour(value: Colour | undefined): string | undefined {
  if (typeof value !== 'number') return value
  return value < 8 ? `var(--sgr-${value})` : `color-mix(in srgb, var(--sgr-${value - 8}) 86%, var(--text))`
}
