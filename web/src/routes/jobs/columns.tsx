import { ActionIcon, Checkbox, Menu, Tooltip } from '@mantine/core'
import {
  IconCopy,
  IconDots,
  IconHistory,
  IconPencil,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerTrackNext,
  IconTrash,
} from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { Job } from '../../api/types'
import { DaemonHealth, HeldMark, KindIcon, PausedMark } from '../../features/job/JobMark'
import type { Chosen } from '../../features/job/selection'
import { useJobActions } from '../../features/job/useJobActions'
import { sentence } from '../../features/job/words'
import { Strip } from '../../features/run/Strip'
import { allows } from '../../lib/roles'
import { aboveRow, type Column, rowLink } from '../../ui/DataTable'
import { Ago, At } from '../../ui/Time'
import classes from './JobsPage.module.css'

/** The columns; with `chosen`, rows can be chosen. */
export function useJobColumns(chosen: Chosen | undefined, rows: readonly Job[]): Column<Job>[] {
  const columns = useShownColumns()
  return chosen ? [choiceColumn(chosen, rows), ...columns] : columns
}

function choiceColumn(chosen: Chosen, rows: readonly Job[]): Column<Job> {
  return {
    key: 'choice',
    title: <ChooseShown chosen={chosen} rows={rows} />,
    width: '28px',
    cell: (job) => <Choose job={job} chosen={chosen} />,
  }
}

function Choose({ job, chosen }: { job: Job; chosen: Chosen }) {
  const { t } = useTranslation()
  return (
    <Checkbox
      size="xs"
      className={aboveRow}
      aria-label={t('bulk.choose', { job: job.spec.name })}
      checked={chosen.has(job.id)}
      onChange={() => chosen.toggle(job.id)}
    />
  )
}

function ChooseShown({ chosen, rows }: { chosen: Chosen; rows: readonly Job[] }) {
  const { t } = useTranslation()
  const count = rows.filter((job) => chosen.has(job.id)).length
  const isEvery = rows.length > 0 && count === rows.length
  return (
    <Checkbox
      size="xs"
      aria-label={t('bulk.chooseShown')}
      checked={isEvery}
      indeterminate={count > 0 && !isEvery}
      onChange={() => (isEvery ? chosen.clear() : chosen.choose(rows.map((job) => job.id)))}
    />
  )
}

function useShownColumns(): Column<Job>[] {
  const { t } = useTranslation()
  return useMemo(
    () => [
      {
        key: 'name',
        title: t('jobs.name'),
        width: 'minmax(170px, 1.5fr)',
        cell: (job) => (
          <span className={classes.name}>
            <KindIcon kind={job.kind} />
            <JobLink job={job} />
            {job.is_paused && <PausedMark />}
            <HeldMark job={job} />
          </span>
        ),
      },
      {
        key: 'group',
        title: t('filter.group'),
        width: 'minmax(80px, 0.6fr)',
        from: 940,
        cell: (job) => (
          <Link to="/groups/$groupId" params={{ groupId: job.group_id }} className={`dim ${aboveRow}`}>
            {job.group_name}
          </Link>
        ),
      },
      {
        key: 'schedule',
        title: t('jobs.schedule'),
        width: 'minmax(150px, 1.5fr)',
        from: 640,
        cell: (job) => <ScheduleCell job={job} />,
      },
      {
        key: 'recent',
        title: t('jobs.recent'),
        width: '150px',
        cell: (job) =>
          job.kind === 'daemon' ? (
            <DaemonHealth job={job} />
          ) : (
            <Strip runs={job.recent} zone={job.spec.scheduled?.time_zone} />
          ),
      },
      {
        key: 'next',
        title: t('jobs.next'),
        width: '170px',
        from: 780,
        cell: (job) =>
          job.next_due ? (
            <span className={aboveRow}>
              <Ago at={job.next_due} zone={job.spec.scheduled?.time_zone} isAhead />{' '}
              <span className="faint">
                <At at={job.next_due} zone={job.spec.scheduled?.time_zone} />
              </span>
            </span>
          ) : (
            <span className="faint">–</span>
          ),
      },
      {
        key: 'actions',
        title: <span className="sr">{t('common.actions')}</span>,
        width: '84px',
        cell: (job) => <RowActions job={job} />,
      },
    ],
    [t],
  )
}

function JobLink({ job }: { job: Job }) {
  return (
    <Link
      to="/jobs/$jobId"
      params={{ jobId: job.id }}
      search={{}}
      className={`clip ${classes.link} ${rowLink}`}
    >
      {job.spec.name}
    </Link>
  )
}

function ScheduleCell({ job }: { job: Job }) {
  const { t, i18n } = useTranslation()
  if (job.kind === 'daemon')
    return <span className="dim">{t('jobs.keeps', { count: job.spec.processes ?? 1 })}</span>
  return (
    <Tooltip label={<code>{job.spec.scheduled?.expression}</code>}>
      <span className={`dim ${aboveRow}`}>
        {sentence(job, i18n.language) || job.spec.scheduled?.expression}
      </span>
    </Tooltip>
  )
}

function RowActions({ job }: { job: Job }) {
  const { t } = useTranslation()
  const actions = useJobActions()
  const name = job.spec.name
  const canOperate = allows(job.my_role, 'operator')
  const canEdit = allows(job.my_role, 'editor')
  const pauseLabel = t(job.is_paused ? 'jobs.resumeNamed' : 'jobs.pauseNamed', { job: name })
  return (
    <span className={`${classes.actions} ${aboveRow}`}>
      {canOperate && job.kind === 'scheduled' && (
        <Tooltip label={t('jobs.runNow')}>
          <ActionIcon aria-label={t('jobs.runNamed', { job: name })} onClick={() => void actions.runNow(job)}>
            <IconPlayerTrackNext size={15} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      )}
      {canOperate && (
        <Tooltip label={t(job.is_paused ? 'jobs.resume' : 'jobs.pause')}>
          <ActionIcon aria-label={pauseLabel} onClick={() => void actions.setPaused(job, !job.is_paused)}>
            {job.is_paused ? (
              <IconPlayerPlay size={15} stroke={1.6} />
            ) : (
              <IconPlayerPause size={15} stroke={1.6} />
            )}
          </ActionIcon>
        </Tooltip>
      )}
      <Menu position="bottom-end" width={190}>
        <Menu.Target>
          <ActionIcon aria-label={t('jobs.moreNamed', { job: name })}>
            <IconDots size={15} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item
            leftSection={<IconHistory size={15} />}
            renderRoot={(props) => <Link to="/runs" search={{ job: job.id }} {...props} />}
          >
            {t('jobs.allRuns')}
          </Menu.Item>
          {canEdit && (
            <>
              <Menu.Item
                leftSection={<IconPencil size={15} />}
                renderRoot={(props) => <Link to="/jobs/$jobId/edit" params={{ jobId: job.id }} {...props} />}
              >
                {t('common.edit')}
              </Menu.Item>
              <Menu.Item
                leftSection={<IconCopy size={15} />}
                renderRoot={(props) => <Link to="/jobs/new" search={{ from: job.id }} {...props} />}
              >
                {t('jobs.duplicate')}
              </Menu.Item>
            </>
          )}
          {allows(job.my_role, 'owner') && (
            <Menu.Item color="red" leftSection={<IconTrash size={15} />} onClick={() => actions.remove(job)}>
              {t('common.delete')}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
    </span>
  )
}

/** One job on a phone. */
export function CompactJob({ job, chosen }: { job: Job; chosen?: Chosen }) {
  const { i18n } = useTranslation()
  return (
    <div className={classes.compact}>
      {chosen && <Choose job={job} chosen={chosen} />}
      <div className={classes.compactText}>
        <span className={classes.name}>
          <KindIcon kind={job.kind} />
          <JobLink job={job} />
          {job.is_paused && <PausedMark />}
          <HeldMark job={job} />
        </span>
        <span className="dim clip">
          {job.kind === 'daemon' ? (
            <DaemonHealth job={job} />
          ) : job.next_due ? (
            <Ago at={job.next_due} isAhead />
          ) : (
            sentence(job, i18n.language)
          )}
        </span>
      </div>
      <RowActions job={job} />
    </div>
  )
}
