import { Button } from '@mantine/core'
import { IconArrowUp } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useMemo, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { type RunFilter, runsKey, runsPage } from '../../api/runs'
import type { Run } from '../../api/types'
import { duration, signedDuration } from '../../lib/time'
import { aboveRow, type Column, DataTable, rowLink } from '../../ui/DataTable'
import { Failure, Loading } from '../../ui/States'
import { Ago, At } from '../../ui/Time'
import { useKeyset } from '../../ui/useKeyset'
import { RunMark } from './RunMark'
import classes from './RunTable.module.css'
import { causeText, endText } from './words'

interface RunTableProps {
  filter: RunFilter
  /** Columns that say the same in every row of this page. */
  without?: readonly ('job' | 'agent')[]
  empty: ReactNode
}

/** Runs under a filter, newest first, any number of them. */
export function RunTable({ filter, without = [], empty }: RunTableProps) {
  const { t } = useTranslation()
  const box = useRef<HTMLDivElement>(null)
  const runs = useKeyset<Run>(runsKey(filter), (cursor, signal) => runsPage(filter, cursor, signal), 'newest')
  const columns = useRunColumns(without)
  if (runs.isPending && runs.rows.length === 0)
    return runs.error ? <Failure error={runs.error} retry={runs.retry} /> : <Loading />
  if (runs.error && runs.rows.length === 0) return <Failure error={runs.error} retry={runs.retry} />
  if (runs.rows.length === 0) return empty
  return (
    <div className={classes.box} ref={box}>
      <DataTable
        label={t('runs.title')}
        rows={runs.rows}
        columns={columns}
        rowKey={(run) => run.id}
        compact={(run) => <CompactRun run={run} />}
        onNearEnd={runs.more}
        onRange={runs.setRange}
        footer={runs.hasMore ? t('common.loading') : t('runs.noMore')}
      />
      {!runs.isAtTop && (
        <Button
          className={classes.top}
          variant="default"
          size="compact-xs"
          leftSection={<IconArrowUp size={13} />}
          onClick={() => box.current?.querySelector('[role="region"]')?.scrollTo({ top: 0 })}
        >
          {t('runs.newest')}
        </Button>
      )}
    </div>
  )
}

function useRunColumns(without: readonly string[]): Column<Run>[] {
  const { t, i18n } = useTranslation()
  const left = without.join()
  return useMemo(() => {
    const columns: Column<Run>[] = [
      { key: 'status', title: t('runs.outcome'), width: '112px', cell: (run) => <RunMark run={run} /> },
      {
        key: 'job',
        title: t('runs.job'),
        width: 'minmax(120px, 1.6fr)',
        cell: (run) => (
          <Link to="/runs/$runId" params={{ runId: run.id }} className={rowLink}>
            {run.job_name}
          </Link>
        ),
      },
      {
        key: 'agent',
        title: t('runs.agent'),
        width: 'minmax(80px, 0.8fr)',
        from: 600,
        cell: (run) => (
          <Link to="/agents/$agentId" params={{ agentId: run.agent_id }} className={aboveRow}>
            {run.agent_name}
          </Link>
        ),
      },
      {
        key: 'due',
        title: t('runs.due'),
        width: '172px',
        cell: (run) => (
          <span className={aboveRow}>
            {left.includes('job') ? (
              <Link to="/runs/$runId" params={{ runId: run.id }} className={rowLink}>
                <At at={run.due} withMillis />
              </Link>
            ) : (
              <At at={run.due} withMillis />
            )}{' '}
            <span className="faint">
              <Ago at={run.due} />
            </span>
          </span>
        ),
      },
      {
        key: 'lag',
        title: t('runs.lag'),
        width: '72px',
        align: 'end',
        from: 760,
        cell: (run) =>
          run.lag_us == null ? (
            <span className="faint">–</span>
          ) : (
            signedDuration(run.lag_us / 1_000, i18n.language)
          ),
      },
      {
        key: 'duration',
        title: t('runs.duration'),
        width: '84px',
        align: 'end',
        cell: (run) =>
          run.duration_us == null ? (
            <span className="faint">–</span>
          ) : (
            duration(run.duration_us / 1_000, i18n.language)
          ),
      },
      {
        key: 'end',
        title: t('runs.end'),
        width: 'minmax(90px, 1fr)',
        from: 880,
        cell: (run) => <span className="dim">{endText(run, t)}</span>,
      },
      {
        key: 'cause',
        title: t('runs.cause'),
        width: '128px',
        from: 1020,
        cell: (run) => (
          <span className="dim">
            {causeText(run, t)}
            {run.attempt > 1 && ` · ${t('runs.attemptShort', { attempt: run.attempt })}`}
            {run.copies > 1 && ` · #${run.copy}`}
          </span>
        ),
      },
    ]
    return columns.filter((column) => !left.split(',').includes(column.key))
  }, [t, i18n.language, left])
}

function CompactRun({ run }: { run: Run }) {
  const { t, i18n } = useTranslation()
  return (
    <>
      <div className={classes.line}>
        <Link to="/runs/$runId" params={{ runId: run.id }} className={`clip ${rowLink}`}>
          {run.job_name}
        </Link>
        <RunMark run={run} />
      </div>
      <div className={`${classes.line} dim`}>
        <span className="clip">
          <At at={run.due} /> · {run.agent_name}
          {endText(run, t) && ` · ${endText(run, t)}`}
        </span>
        <span>{run.duration_us == null ? '' : duration(run.duration_us / 1_000, i18n.language)}</span>
      </div>
    </>
  )
}
