import {
  IconAlertTriangleFilled,
  IconCircleCheckFilled,
  IconCircleXFilled,
  IconClock,
  IconClockX,
  IconHelpCircleFilled,
  IconPlayerPlayFilled,
  IconPlayerSkipForwardFilled,
  IconPlayerStopFilled,
  IconSend,
} from '@tabler/icons-react'
import type { ComponentType } from 'react'
import { useTranslation } from 'react-i18next'
import type { Run } from '../../api/types'
import { Mark } from '../../ui/Mark'
import { type RunStatus, runStatus, statusTone } from './status'

const icons: Record<RunStatus, ComponentType<{ size: number; 'aria-hidden': boolean }>> = {
  succeeded: IconCircleCheckFilled,
  failed: IconCircleXFilled,
  killed: IconPlayerStopFilled,
  timed_out: IconClockX,
  skipped: IconPlayerSkipForwardFilled,
  missed: IconAlertTriangleFilled,
  lost: IconHelpCircleFilled,
  planned: IconClock,
  offered: IconSend,
  dispatched: IconSend,
  accepted: IconClock,
  running: IconPlayerPlayFilled,
}

export function StatusIcon({ status, size = 14 }: { status: RunStatus; size?: number }) {
  const Icon = icons[status]
  return <Icon size={size} aria-hidden />
}

/** Outcome or state of a run: icon, word, colour. */
export function StatusMark({ status, isSoft }: { status: RunStatus; isSoft?: boolean }) {
  const { t } = useTranslation()
  return (
    <Mark tone={statusTone[status]} icon={<StatusIcon status={status} />} isSoft={isSoft}>
      {t(`status.${status}`)}
    </Mark>
  )
}

export function RunMark({ run, isSoft }: { run: Pick<Run, 'state' | 'outcome'>; isSoft?: boolean }) {
  return <StatusMark status={runStatus(run)} isSoft={isSoft} />
}
