import { ActionIcon, Button, SegmentedControl, Tooltip } from '@mantine/core'
import {
  IconArrowBarToDown,
  IconChevronDown,
  IconChevronUp,
  IconClock,
  IconDownload,
  IconTextWrap,
} from '@tabler/icons-react'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { errorText } from '../../api/error'
import { rawAddress } from '../../api/outputs'
import { bytes } from '../../lib/bytes'
import { findLines, type Line } from '../../lib/lines'
import { SearchBox } from '../../ui/Filters'
import { OutputLine } from './OutputLine'
import classes from './OutputView.module.css'
import { useOutput } from './useOutput'

/** What of the output is shown and how; kept in the address. */
export interface OutputSearch {
  q?: string
  stream?: string
  wrap?: string
  times?: string
  view?: string
}

interface OutputViewProps {
  id: string | undefined
  isEnded: boolean
  /** Bytes written, if known. */
  size: number | undefined
  dropped: number
  /** The job throws its output away. */
  isDiscarded: boolean
  search: OutputSearch
  onSearch: (change: OutputSearch) => void
}

const LINE = 18

/** Output of a run or process: live, coloured, searchable, of any length. */
export function OutputView({ id, isEnded, size, dropped, isDiscarded, search, onSearch }: OutputViewProps) {
  const { t, i18n } = useTranslation()
  const view = search.view === 'beginning' ? 'beginning' : 'end'
  const output = useOutput({ id: isDiscarded ? undefined : id, isEnded, size: size ?? 0, view })
  const stream = search.stream === 'stdout' || search.stream === 'stderr' ? search.stream : 'both'
  const lines = useMemo(
    () =>
      stream === 'both'
        ? output.lines
        : output.lines.filter((line) => line.stream === stream || line.stream === 'gap'),
    [output.lines, stream],
  )
  const isWrapped = search.wrap === '1'
  const hasTimes = search.times === '1'
  const [isFollowing, setFollowing] = useState(!isEnded)

  return (
    <section className={classes.output} aria-label={t('output.title')}>
      <div className={classes.bar}>
        <span className={classes.title}>{t('output.title')}</span>
        <span className="dim" role="status">
          {id && output.state === 'live' && !isDiscarded
            ? t('output.live')
            : output.state === 'lost'
              ? t('output.reconnecting')
              : null}
        </span>
        {size !== undefined && <span className="faint">{bytes(size, i18n.language)}</span>}
        {dropped > 0 && (
          <span className={classes.dropped}>
            {t('output.dropped', { bytes: bytes(dropped, i18n.language) })}
          </span>
        )}
        <div className={classes.tools}>
          <SegmentedControl
            aria-label={t('output.stream')}
            value={stream}
            onChange={(next) => onSearch({ stream: next === 'both' ? undefined : next })}
            data={[
              { value: 'both', label: t('output.both') },
              { value: 'stdout', label: 'stdout' },
              { value: 'stderr', label: 'stderr' },
            ]}
          />
          <Toggle
            label={t('output.follow')}
            isOn={isFollowing}
            onClick={() => setFollowing(!isFollowing)}
            icon={<IconArrowBarToDown size={15} />}
          />
          <Toggle
            label={t('output.wrap')}
            isOn={isWrapped}
            onClick={() => onSearch({ wrap: isWrapped ? undefined : '1' })}
            icon={<IconTextWrap size={15} />}
          />
          <Toggle
            label={t('output.times')}
            isOn={hasTimes}
            onClick={() => onSearch({ times: hasTimes ? undefined : '1' })}
            icon={<IconClock size={15} />}
          />
          {id && !isDiscarded && (
            <Tooltip label={t(hasTimes ? 'output.downloadTimes' : 'output.download')}>
              <ActionIcon
                component="a"
                href={rawAddress(id, stream, hasTimes)}
                download
                aria-label={t(hasTimes ? 'output.downloadTimes' : 'output.download')}
              >
                <IconDownload size={15} />
              </ActionIcon>
            </Tooltip>
          )}
        </div>
      </div>
      {(output.isTail || output.letGo > 0) && (
        <div className={classes.notice}>
          {output.isTail ? t('output.tail') : t('output.letGo', { count: output.letGo })}
          {output.isTail && (
            <Button variant="subtle" size="compact-xs" onClick={() => onSearch({ view: 'beginning' })}>
              {t('output.fromBeginning')}
            </Button>
          )}
        </div>
      )}
      {output.error ? (
        <p role="alert" className={classes.empty}>
          {errorText(output.error)}
        </p>
      ) : isDiscarded || lines.length === 0 ? (
        <p className={classes.empty}>
          {isDiscarded
            ? t('output.discarded')
            : id && output.state === 'loading'
              ? t('common.loading')
              : isEnded
                ? t('output.none')
                : t('output.noneYet')}
        </p>
      ) : (
        <Lines
          lines={lines}
          isWrapped={isWrapped}
          hasTimes={hasTimes}
          query={search.q ?? ''}
          onQuery={(q) => onSearch({ q: q || undefined })}
          isFollowing={isFollowing}
          onFollow={setFollowing}
          onEnd={output.hasMore ? output.more : undefined}
        />
      )}
    </section>
  )
}

interface LinesProps {
  lines: readonly Line[]
  isWrapped: boolean
  hasTimes: boolean
  query: string
  onQuery: (query: string) => void
  isFollowing: boolean
  onFollow: (isFollowing: boolean) => void
  /** Reads more when the end comes in sight. */
  onEnd: (() => void) | undefined
}

function Lines({ lines, isWrapped, hasTimes, query, onQuery, isFollowing, onFollow, onEnd }: LinesProps) {
  const { t } = useTranslation()
  const box = useRef<HTMLDivElement>(null)
  const [nth, setNth] = useState(0)
  const found = useMemo(() => findLines(lines, query), [lines, query])
  const current = found[Math.min(nth, found.length - 1)]
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE,
    overscan: 30,
    getItemKey: (index) => lines[index]?.number ?? index,
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: wrapping changes every height
  useEffect(() => virtual.measure(), [isWrapped])

  // biome-ignore lint/correctness/useExhaustiveDependencies: follows when lines come in
  useEffect(() => {
    if (isFollowing && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: 'end' })
  }, [isFollowing, lines.length])

  const show = (next: number) => {
    if (found.length === 0) return
    const place = (next + found.length) % found.length
    setNth(place)
    onFollow(false)
    virtual.scrollToIndex(found[place] ?? 0, { align: 'center' })
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Enter') {
      event.preventDefault()
      show(event.shiftKey ? nth - 1 : nth + 1)
    }
  }
  const last = virtual.range?.endIndex ?? 0
  useEffect(() => {
    if (last >= lines.length - 100) onEnd?.()
  }, [last, lines.length, onEnd])

  const digits = String(lines.at(-1)?.number ?? 1).length
  return (
    <>
      <div className={classes.find}>
        <SearchBox
          label={t('output.search')}
          value={query}
          onChange={(next) => {
            setNth(0)
            onQuery(next)
          }}
          onKeyDown={onKey}
          width={220}
        />
        {query !== '' && (
          <>
            <span className="dim" role="status">
              {found.length === 0
                ? t('output.notFound')
                : t('output.found', { nth: Math.min(nth, found.length - 1) + 1, count: found.length })}
            </span>
            <ActionIcon
              aria-label={t('output.previous')}
              onClick={() => show(nth - 1)}
              disabled={found.length === 0}
            >
              <IconChevronUp size={15} />
            </ActionIcon>
            <ActionIcon
              aria-label={t('output.next')}
              onClick={() => show(nth + 1)}
              disabled={found.length === 0}
            >
              <IconChevronDown size={15} />
            </ActionIcon>
          </>
        )}
        <span className={classes.count}>{t('output.lines', { count: lines.length })}</span>
      </div>
      {/* biome-ignore-start lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard */}
      <div
        ref={box}
        className={classes.lines}
        data-wrap={isWrapped || undefined}
        tabIndex={0}
        role="log"
        aria-label={t('output.title')}
        aria-live="off"
        onWheel={(event) => {
          if (event.deltaY < 0) onFollow(false)
        }}
        onKeyDown={(event) => {
          if (event.key === 'End') onFollow(true)
          if (event.key === 'Home' || event.key === 'PageUp' || event.key === 'ArrowUp') onFollow(false)
        }}
      >
        {/* biome-ignore-end lint/a11y/noNoninteractiveTabindex: see above */}
        <div className={classes.canvas} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index]
            return line ? (
              <OutputLine
                key={item.key}
                ref={isWrapped ? virtual.measureElement : undefined}
                index={item.index}
                line={line}
                top={item.start}
                digits={digits}
                hasTime={hasTimes}
                query={query}
                isCurrent={item.index === current && query !== ''}
              />
            ) : null
          })}
        </div>
      </div>
    </>
  )
}

function Toggle({
  label,
  isOn,
  onClick,
  icon,
}: {
  label: string
  isOn: boolean
  onClick: () => void
  icon: React.ReactNode
}) {
  return (
    <Tooltip label={label}>
      <ActionIcon
        aria-label={label}
        aria-pressed={isOn}
        variant={isOn ? 'light' : 'subtle'}
        color={isOn ? 'accent' : 'gray'}
        onClick={onClick}
      >
        {icon}
      </ActionIcon>
    </Tooltip>
  )
}
