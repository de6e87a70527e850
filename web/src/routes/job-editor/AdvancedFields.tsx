import { ActionIcon, Button, NumberInput, SegmentedControl, Select, TextInput } from '@mantine/core'
import { IconPlus, IconX } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { FieldPath } from '../../features/job/fieldErrors'
import { SIGNALS, UMASK } from '../../features/job/spec'
import { SpanInput } from '../../ui/SpanInput'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'
import { LimitFields, limitPaths } from './LimitFields'
import { SecretFields } from './SecretFields'

const MIB = 1_048_576

/** Inputs that are folded away until they are wanted or wrong. */
export const advancedPaths: readonly FieldPath[] = [
  'directory',
  'environment',
  'secrets',
  'umask',
  'output.cap_bytes',
  'output.block_max_ms',
  'stop.signal',
  'stop.grace_ms',
  ...limitPaths,
]

/** Environment, directory, umask, output and stop; everything here has a default that is right for most. */
export function AdvancedFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  return (
    <div className={classes.part} style={{ paddingTop: 10 }}>
      <div className={classes.pair}>
        <TextInput
          className={classes.code}
          label={t('field.directory')}
          placeholder={t('editor.home')}
          spellCheck={false}
          value={draft.directory}
          onChange={(event) => set({ directory: event.currentTarget.value })}
          error={errorAt('directory')}
        />
        <TextInput
          className={classes.code}
          label={t('field.umask')}
          placeholder={UMASK}
          value={draft.umask}
          onChange={(event) => set({ umask: event.currentTarget.value })}
          error={errorAt('umask')}
        />
      </div>
      <EnvironmentFields draft={draft} set={set} errorAt={errorAt} />
      <SecretFields draft={draft} set={set} errorAt={errorAt} />
      <div className={classes.pair}>
        <div>
          <div className={classes.label}>{t('field.output_mode')}</div>
          <SegmentedControl
            aria-label={t('field.output_mode')}
            value={draft.outputMode}
            onChange={(mode) => set({ outputMode: mode === 'discard' ? 'discard' : 'store' })}
            data={[
              { value: 'store', label: t('output.store') },
              { value: 'discard', label: t('output.discard') },
            ]}
          />
        </div>
        {draft.outputMode === 'store' && (
          <NumberInput
            label={t('field.output_cap_bytes')}
            suffix=" MiB"
            value={draft.capBytes / MIB}
            min={0.00390625}
            max={1_024}
            decimalScale={4}
            onChange={(value) => set({ capBytes: Math.round(Number(value) * MIB) })}
            error={errorAt('output.cap_bytes')}
          />
        )}
        {draft.outputMode === 'store' && (
          <div>
            <div className={classes.label}>{t('field.output_when_full')}</div>
            <SegmentedControl
              aria-label={t('field.output_when_full')}
              value={draft.whenFull}
              onChange={(next) => set({ whenFull: next === 'block' ? 'block' : 'drop' })}
              data={[
                { value: 'drop', label: t('output.drop') },
                { value: 'block', label: t('output.block') },
              ]}
            />
          </div>
        )}
        {draft.outputMode === 'store' && draft.whenFull === 'block' && (
          <SpanInput
            label={t('field.output_block_max_ms')}
            value={draft.blockMaxMs}
            onChange={(ms) => ms !== undefined && set({ blockMaxMs: ms })}
            error={errorAt('output.block_max_ms')}
          />
        )}
        <Select
          label={t('field.stop_signal')}
          data={SIGNALS.map((signal) => ({ value: signal, label: `SIG${signal}` }))}
          value={draft.signal}
          allowDeselect={false}
          onChange={(signal) => signal && set({ signal })}
          error={errorAt('stop.signal')}
        />
        <SpanInput
          label={t('field.stop_grace_ms')}
          value={draft.graceMs}
          onChange={(ms) => ms !== undefined && set({ graceMs: ms })}
          error={errorAt('stop.grace_ms')}
        />
      </div>
      <LimitFields draft={draft} set={set} errorAt={errorAt} />
    </div>
  )
}

function EnvironmentFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const put = (nth: number, name: string, value: string) =>
    set({ environment: draft.environment.map((entry, at) => (at === nth ? [name, value] : entry)) })
  return (
    <div className={classes.code}>
      <div className={classes.label}>{t('field.environment')}</div>
      {draft.environment.map(([name, value], nth) => (
        <div key={nth} className={classes.envRow}>
          <TextInput
            aria-label={t('editor.envName')}
            placeholder="NAME"
            spellCheck={false}
            value={name}
            onChange={(event) => put(nth, event.currentTarget.value, value)}
          />
          <TextInput
            aria-label={t('editor.envValue')}
            spellCheck={false}
            value={value}
            onChange={(event) => put(nth, name, event.currentTarget.value)}
          />
          <ActionIcon
            aria-label={t('editor.envRemove', { name })}
            onClick={() => set({ environment: draft.environment.filter((_, at) => at !== nth) })}
          >
            <IconX size={14} />
          </ActionIcon>
        </div>
      ))}
      {errorAt('environment') && <p className="danger">{errorAt('environment')}</p>}
      <Button
        variant="default"
        size="compact-xs"
        leftSection={<IconPlus size={13} />}
        onClick={() => set({ environment: [...draft.environment, ['', '']] })}
      >
        {t('editor.envAdd')}
      </Button>
    </div>
  )
}
