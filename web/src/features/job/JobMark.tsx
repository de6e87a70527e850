import {
  IconCalendarClock,
  IconPlayerPauseFilled,
  IconServerCog,
  IconSnowflake,
  IconZzz,
} from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { Job, JobKind } from '../../api/types'
import { Mark } from '../../ui/Mark'
import { SlotIcon } from '../slot/SlotMark'

/** The kind of a job as a small icon with its word for screen readers. */
export function KindIcon({ kind }: { kind: JobKind }) {
  const { t } = useTranslation()
  const Icon = kind === 'daemon' ? IconServerCog : IconCalendarClock
  return (
    <span className="faint" title={t(`kind.${kind}`)} style={{ display: 'inline-flex' }}>
      <Icon size={15} stroke={1.6} aria-hidden />
      <span className="sr">{t(`kind.${kind}`)}</span>
    </span>
  )
}

export function PausedMark() {
  const { t } = useTranslation()
  return (
    <Mark tone="missed" icon={<IconPlayerPauseFilled size={12} />} isSoft>
      {t('jobs.paused')}
    </Mark>
  )
}

/** That a job rests, or that a window holds it. A pause says more than either. */
export function HeldMark({ job }: { job: Job }) {
  const { t } = useTranslation()
  if (job.is_paused || (!job.snooze && !job.frozen)) return null
  return (
    <Mark tone="missed" icon={job.snooze ? <IconZzz size={12} /> : <IconSnowflake size={12} />} isSoft>
      {t(job.snooze ? 'snooze.mark' : 'windows.frozen')}
    </Mark>
  )
}

/** How many of a daemon's processes run, and whether something is wrong. */
export function DaemonHealth({ job }: { job: Job }) {
  const { t } = useTranslation()
  const isWhole = job.slots_running >= job.slots_wanted
  const tone = job.slots_crash_loop > 0 ? 'failed' : isWhole ? 'succeeded' : 'waiting'
  const state = job.slots_crash_loop > 0 ? 'crash_loop' : isWhole ? 'running' : 'starting'
  return (
    <Mark
      tone={job.is_paused ? 'skipped' : tone}
      icon={<SlotIcon state={job.is_paused ? 'stopped' : state} />}
    >
      {job.slots_running} / {job.slots_wanted}{' '}
      {t(job.slots_crash_loop > 0 ? 'daemons.looping' : 'daemons.running')}
    </Mark>
  )
}
