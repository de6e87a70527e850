import { NumberInput, SegmentedControl, Select, Switch } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { IoPriority, Limits } from '../../api/types'
import type { FieldPath } from '../../features/job/fieldErrors'
import { ioText } from '../../features/job/limits'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

const MIB = 1_048_576

/** Inputs of what a process may use. */
export const limitPaths: readonly FieldPath[] = [
  'stragglers',
  'limits.memory_max_bytes',
  'limits.cpu_max_millicores',
  'limits.pids_max',
  'limits.open_files_max',
  'limits.core_size_max_bytes',
  'limits.nice',
  'limits.io_priority',
  'limits.oom_score_adj',
]

const LEVELS = [0, 1, 2, 3, 4, 5, 6, 7]
const PRIORITIES: IoPriority[] = [
  { class: 'idle', level: 0 },
  ...LEVELS.map((level): IoPriority => ({ class: 'best_effort', level })),
  ...LEVELS.map((level): IoPriority => ({ class: 'realtime', level })),
]

const keyOf = (priority: IoPriority) => `${priority.class}:${priority.level ?? 0}`

/** What a process may use; empty fields are no limits. */
export function LimitFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const { limits } = draft
  const put = (change: Partial<Limits>) => set({ limits: { ...limits, ...change } })
  const numberField = (
    key: 'pids_max' | 'open_files_max' | 'nice' | 'oom_score_adj',
    [min, max]: [number, number],
    empty: string,
  ) => (
    <NumberInput
      label={t(`field.limits_${key}`)}
      placeholder={empty}
      value={limits[key] ?? ''}
      min={min}
      max={max}
      allowDecimal={false}
      onChange={(value) => put({ [key]: value === '' ? null : Number(value) })}
      error={errorAt(`limits.${key}`)}
    />
  )
  const sizeField = (key: 'memory_max_bytes' | 'core_size_max_bytes', empty: string) => (
    <NumberInput
      label={t(`field.limits_${key}`)}
      placeholder={empty}
      suffix=" MiB"
      value={limits[key] == null ? '' : limits[key] / MIB}
      min={0}
      decimalScale={3}
      onChange={(value) => put({ [key]: value === '' ? null : Math.round(Number(value) * MIB) })}
      error={errorAt(`limits.${key}`)}
    />
  )
  return (
    <div className={classes.part}>
      <h3 className={classes.partTitle}>{t('limits.title')}</h3>
      <p className="dim">{t('limits.text')}</p>
      <div className={classes.pair}>
        {sizeField('memory_max_bytes', t('editor.noLimit'))}
        <NumberInput
          label={t('field.limits_cpu_max_millicores')}
          placeholder={t('editor.noLimit')}
          value={limits.cpu_max_millicores == null ? '' : limits.cpu_max_millicores / 1_000}
          min={0.01}
          step={0.5}
          decimalScale={3}
          onChange={(value) =>
            put({ cpu_max_millicores: value === '' ? null : Math.round(Number(value) * 1_000) })
          }
          error={errorAt('limits.cpu_max_millicores')}
        />
        {numberField('pids_max', [1, 4_194_304], t('editor.noLimit'))}
        {numberField('open_files_max', [16, 1_048_576], t('limits.inherited'))}
        {sizeField('core_size_max_bytes', t('limits.inherited'))}
        {numberField('nice', [-20, 19], '0')}
        <Select
          label={t('field.limits_io_priority')}
          placeholder={t('limits.byNice')}
          data={PRIORITIES.map((each) => ({ value: keyOf(each), label: ioText(each) }))}
          value={limits.io_priority ? keyOf(limits.io_priority) : null}
          clearable
          onChange={(key) => put({ io_priority: PRIORITIES.find((each) => keyOf(each) === key) ?? null })}
          error={errorAt('limits.io_priority')}
        />
        {numberField('oom_score_adj', [0, 1_000], '0')}
      </div>
      <Switch
        label={t('field.limits_no_new_privileges')}
        description={t('limits.privilegesText')}
        checked={limits.no_new_privileges}
        onChange={(event) => put({ no_new_privileges: event.currentTarget.checked })}
      />
      {draft.kind === 'scheduled' && (
        <div>
          <div className={classes.label}>{t('field.stragglers')}</div>
          <SegmentedControl
            aria-label={t('field.stragglers')}
            value={draft.stragglers}
            onChange={(word) => set({ stragglers: word === 'leave' ? 'leave' : 'kill' })}
            data={[
              { value: 'kill', label: t('stragglers.kill') },
              { value: 'leave', label: t('stragglers.leave') },
            ]}
          />
          {errorAt('stragglers') && <p className="danger">{errorAt('stragglers')}</p>}
        </div>
      )}
    </div>
  )
}
