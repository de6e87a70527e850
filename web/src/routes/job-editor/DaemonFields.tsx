import { NumberInput, SegmentedControl } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { DaemonSpec, Restart } from '../../api/types'
import { SpanInput } from '../../ui/SpanInput'
import { CheckFields } from './CheckFields'
import { ExitCodesInput } from './ExitCodesInput'
import { type FieldsProps, Part } from './JobForm'
import classes from './JobForm.module.css'
import { ReplacingFields } from './ReplacingFields'

/** How many processes a daemon job keeps alive, and how it brings them back. */
export function DaemonFields({ draft, set, errorAt }: FieldsProps) {
  return (
    <>
      <KeepAlive draft={draft} set={set} errorAt={errorAt} />
      <CheckFields draft={draft} set={set} errorAt={errorAt} />
      <ReplacingFields draft={draft} set={set} errorAt={errorAt} />
    </>
  )
}

function KeepAlive({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const daemon = draft.daemon
  const change = (part: Partial<DaemonSpec>) => set({ daemon: { ...daemon, ...part } })
  return (
    <Part title={t('editor.keepAlive')}>
      <div className={classes.pair}>
        <NumberInput
          label={t('field.processes')}
          description={t('editor.processesDaemon')}
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          value={draft.processes}
          min={1}
          max={1_000}
          allowDecimal={false}
          onChange={(value) => set({ processes: Number(value) || 1 })}
          error={errorAt('processes')}
        />
        <div>
          <div className={classes.label}>{t('field.daemon_restart')}</div>
          <SegmentedControl
            aria-label={t('field.daemon_restart')}
            value={daemon.restart}
            onChange={(restart) => change({ restart: restart as Restart })}
            data={[
              { value: 'always', label: t('restart.always') },
              { value: 'on_failure', label: t('restart.on_failure') },
              { value: 'never', label: t('restart.never') },
            ]}
          />
        </div>
      </div>
      <div className={classes.triple}>
        <SpanInput
          label={t('field.daemon_start_period_ms')}
          value={daemon.start_period_ms}
          onChange={(ms) => ms !== undefined && change({ start_period_ms: ms })}
          error={errorAt('daemon.start_period_ms')}
        />
        <SpanInput
          label={t('field.daemon_backoff_initial_ms')}
          value={daemon.backoff_initial_ms}
          onChange={(ms) => ms !== undefined && change({ backoff_initial_ms: ms })}
          error={errorAt('daemon.backoff_initial_ms')}
        />
        <SpanInput
          label={t('field.daemon_backoff_max_ms')}
          value={daemon.backoff_max_ms}
          onChange={(ms) => ms !== undefined && change({ backoff_max_ms: ms })}
          error={errorAt('daemon.backoff_max_ms')}
        />
        <NumberInput
          label={t('field.daemon_crash_loop_failures')}
          value={daemon.crash_loop_failures}
          min={2}
          max={100}
          allowDecimal={false}
          onChange={(value) => change({ crash_loop_failures: Number(value) || 2 })}
          error={errorAt('daemon.crash_loop_failures')}
        />
        <SpanInput
          label={t('field.daemon_crash_loop_window_ms')}
          value={daemon.crash_loop_window_ms}
          onChange={(ms) => ms !== undefined && change({ crash_loop_window_ms: ms })}
          error={errorAt('daemon.crash_loop_window_ms')}
        />
        <ExitCodesInput
          value={daemon.expected_exit_codes}
          onChange={(codes) => change({ expected_exit_codes: codes })}
          error={errorAt('daemon.expected_exit_codes')}
        />
      </div>
    </Part>
  )
}
