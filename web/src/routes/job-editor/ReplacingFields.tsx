import { NumberInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { DaemonSpec } from '../../api/types'
import { SpanInput } from '../../ui/SpanInput'
import { type FieldsProps, Part } from './JobForm'
import classes from './JobForm.module.css'

const MIB = 1_048_576

/** How many processes are replaced at a time, and when one is that is well. */
export function ReplacingFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const daemon = draft.daemon
  const change = (part: Partial<DaemonSpec>) => set({ daemon: { ...daemon, ...part } })
  return (
    <Part title={t('editor.replacing')}>
      <div className={classes.triple}>
        <NumberInput
          label={t('field.daemon_max_unavailable')}
          value={daemon.max_unavailable}
          min={1}
          max={1_000}
          allowDecimal={false}
          onChange={(value) => change({ max_unavailable: Number(value) || 1 })}
          error={errorAt('daemon.max_unavailable')}
        />
        <SpanInput
          label={t('field.daemon_max_age_ms')}
          value={daemon.max_age_ms ?? undefined}
          emptyMeans={t('editor.never')}
          onChange={(ms) => change({ max_age_ms: ms ?? null })}
          error={errorAt('daemon.max_age_ms')}
        />
        <NumberInput
          label={t('field.daemon_max_memory_bytes')}
          placeholder={t('editor.never')}
          suffix=" MiB"
          value={daemon.max_memory_bytes == null ? '' : daemon.max_memory_bytes / MIB}
          min={1}
          allowDecimal={false}
          onChange={(value) => change({ max_memory_bytes: value === '' ? null : Number(value) * MIB })}
          error={errorAt('daemon.max_memory_bytes')}
        />
      </div>
    </Part>
  )
}
