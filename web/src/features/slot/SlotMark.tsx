import {
  IconCircleCheckFilled,
  IconClock,
  IconFlameFilled,
  IconHourglassHigh,
  IconPlayerPlayFilled,
  IconPlayerStopFilled,
  IconRotateClockwise,
} from '@tabler/icons-react'
import type { ComponentType } from 'react'
import { useTranslation } from 'react-i18next'
import type { SlotState } from '../../api/types'
import { Mark, type Tone } from '../../ui/Mark'

export const SLOT_STATES: readonly SlotState[] = [
  'waiting',
  'starting',
  'running',
  'backoff',
  'crash_loop',
  'stopping',
  'stopped',
]

export const slotTone: Record<SlotState, Tone> = {
  waiting: 'waiting',
  starting: 'running',
  running: 'succeeded',
  backoff: 'missed',
  crash_loop: 'failed',
  stopping: 'waiting',
  stopped: 'skipped',
}

const icons: Record<SlotState, ComponentType<{ size: number; 'aria-hidden': boolean }>> = {
  waiting: IconClock,
  starting: IconPlayerPlayFilled,
  running: IconCircleCheckFilled,
  backoff: IconRotateClockwise,
  crash_loop: IconFlameFilled,
  stopping: IconHourglassHigh,
  stopped: IconPlayerStopFilled,
}

export function SlotIcon({ state, size = 14 }: { state: SlotState; size?: number }) {
  const Icon = icons[state]
  return <Icon size={size} aria-hidden />
}

/** State of a slot: icon, word, colour. */
export function SlotMark({ state, isSoft }: { state: SlotState; isSoft?: boolean }) {
  const { t } = useTranslation()
  return (
    <Mark tone={slotTone[state]} icon={<SlotIcon state={state} />} isSoft={isSoft}>
      {t(`slot.${state}`)}
    </Mark>
  )
}
