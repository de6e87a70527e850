import { Checkbox, NumberInput, SegmentedControl, TextInput } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Check, DaemonSpec } from '../../api/types'
import { healthDefaults, readinessDefaults } from '../../features/job/spec'
import { joinArgv, splitArgv } from '../../lib/argv'
import { SpanInput } from '../../ui/SpanInput'
import { type FieldsProps, Part } from './JobForm'
import classes from './JobForm.module.css'

/** How processes of a daemon prove that they serve. */
export function CheckFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const { readiness, health } = draft.daemon
  const change = (part: Partial<DaemonSpec>) => set({ daemon: { ...draft.daemon, ...part } })
  return (
    <Part title={t('editor.checks')}>
      <CheckInput
        label={t('field.daemon_readiness')}
        hint={t('editor.checksReadiness')}
        check={readiness?.check}
        onChange={(check) =>
          change({ readiness: check ? { ...readinessDefaults, ...readiness, check } : null })
        }
        error={errorAt('daemon.readiness')}
      >
        {readiness && (
          <Timings
            value={{ ...readinessDefaults, ...readiness }}
            onChange={(part) => change({ readiness: { ...readiness, ...part } })}
          >
            <Count
              label={t('field.probe_successes')}
              value={readiness.successes ?? readinessDefaults.successes}
              onChange={(successes) => change({ readiness: { ...readiness, successes } })}
            />
            <SpanInput
              label={t('field.probe_start_timeout_ms')}
              value={readiness.start_timeout_ms ?? readinessDefaults.start_timeout_ms}
              onChange={(ms) =>
                ms !== undefined && change({ readiness: { ...readiness, start_timeout_ms: ms } })
              }
            />
          </Timings>
        )}
      </CheckInput>
      <CheckInput
        label={t('field.daemon_health')}
        hint={t('editor.checksHealth')}
        check={health?.check}
        onChange={(check) => change({ health: check ? { ...healthDefaults, ...health, check } : null })}
        error={errorAt('daemon.health')}
      >
        {health && (
          <Timings
            value={{ ...healthDefaults, ...health }}
            onChange={(part) => change({ health: { ...health, ...part } })}
          >
            <Count
              label={t('field.probe_failures')}
              value={health.failures ?? healthDefaults.failures}
              onChange={(failures) => change({ health: { ...health, failures } })}
            />
            <Count
              label={t('field.probe_successes')}
              value={health.successes ?? healthDefaults.successes}
              onChange={(successes) => change({ health: { ...health, successes } })}
            />
          </Timings>
        )}
      </CheckInput>
    </Part>
  )
}

const KINDS = ['none', 'command', 'tcp', 'http'] as const
type Kind = (typeof KINDS)[number]

function kindOf(check: Check | undefined): Kind {
  if (check?.http) return 'http'
  if (check?.tcp) return 'tcp'
  return check ? 'command' : 'none'
}

const blank: Record<Kind, Check | undefined> = {
  none: undefined,
  command: { command: [] },
  tcp: { tcp: { port: 8080, adds_slot: false } },
  http: { http: { port: 8080, adds_slot: false, path: '/healthz' } },
}

interface CheckInputProps {
  label: string
  hint: string
  check: Check | undefined
  onChange: (check: Check | undefined) => void
  error: ReactNode
  children: ReactNode
}

/** What is asked of a process: nothing, a command, a connection or a request. */
function CheckInput({ label, hint, check, onChange, error, children }: CheckInputProps) {
  const { t } = useTranslation()
  return (
    <div className={classes.check}>
      <div>
        <div className={classes.label}>{label}</div>
        <SegmentedControl
          aria-label={label}
          value={kindOf(check)}
          onChange={(kind) => onChange(blank[kind as Kind])}
          data={KINDS.map((kind) => ({ value: kind, label: t(`probe.${kind}`) }))}
        />
      </div>
      {!check && <p className="dim">{hint}</p>}
      {check?.command && <CommandInput argv={check.command} onChange={(command) => onChange({ command })} />}
      {check?.tcp && <PlaceInput value={check.tcp} onChange={(tcp) => onChange({ tcp })} />}
      {check?.http && (
        <PlaceInput value={check.http} onChange={(http) => onChange({ http })}>
          <TextInput
            className={classes.code}
            label={t('field.probe_path')}
            value={check.http.path ?? '/'}
            onChange={(event) =>
              onChange({ http: { ...check.http, ...port(check), path: event.currentTarget.value } })
            }
          />
          <NumberInput
            label={t('field.probe_status')}
            placeholder={t('probe.anyStatus')}
            value={check.http.expected_status ?? ''}
            min={100}
            max={599}
            allowDecimal={false}
            onChange={(value) =>
              onChange({
                http: { ...check.http, ...port(check), expected_status: value === '' ? null : Number(value) },
              })
            }
          />
        </PlaceInput>
      )}
      {children}
      {error && <p className="danger">{error}</p>}
    </div>
  )
}

const port = (check: Check) => ({ port: check.http?.port ?? 8080 })

function CommandInput({ argv, onChange }: { argv: readonly string[]; onChange: (argv: string[]) => void }) {
  const { t } = useTranslation()
  const [text, setText] = useState(joinArgv([...argv]))
  return (
    <TextInput
      className={classes.code}
      label={t('field.probe_command')}
      spellCheck={false}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value)
        onChange(splitArgv(event.currentTarget.value))
      }}
    />
  )
}

interface Place {
  address?: string | null
  port: number
  adds_slot?: boolean
}

interface PlaceInputProps<P extends Place> {
  value: P
  onChange: (value: P) => void
  children?: ReactNode
}

/** Where a process listens. */
function PlaceInput<P extends Place>({ value, onChange, children }: PlaceInputProps<P>) {
  const { t } = useTranslation()
  return (
    <div className={classes.triple}>
      <div>
        <NumberInput
          label={t('field.probe_port')}
          value={value.port}
          min={1}
          max={65_535}
          allowDecimal={false}
          onChange={(port) => onChange({ ...value, port: Number(port) || 0 })}
        />
        <Checkbox
          mt={6}
          size="xs"
          label={t('probe.addsSlot')}
          checked={value.adds_slot ?? false}
          onChange={(event) => onChange({ ...value, adds_slot: event.currentTarget.checked })}
        />
      </div>
      <TextInput
        className={classes.code}
        label={t('field.probe_address')}
        placeholder="127.0.0.1"
        value={value.address ?? ''}
        onChange={(event) => onChange({ ...value, address: event.currentTarget.value.trim() || null })}
      />
      {children}
    </div>
  )
}

interface Times {
  initial_delay_ms: number
  period_ms: number
  timeout_ms: number
}

function Timings(props: { value: Times; onChange: (part: Partial<Times>) => void; children: ReactNode }) {
  const { t } = useTranslation()
  const { value, onChange, children } = props
  return (
    <div className={classes.triple}>
      <SpanInput
        label={t('field.probe_initial_delay_ms')}
        value={value.initial_delay_ms}
        onChange={(ms) => ms !== undefined && onChange({ initial_delay_ms: ms })}
      />
      <SpanInput
        label={t('field.probe_period_ms')}
        value={value.period_ms}
        onChange={(ms) => ms !== undefined && onChange({ period_ms: ms })}
      />
      <SpanInput
        label={t('field.probe_timeout_ms')}
        value={value.timeout_ms}
        onChange={(ms) => ms !== undefined && onChange({ timeout_ms: ms })}
      />
      {children}
    </div>
  )
}

function Count(props: { label: string; value: number; onChange: (value: number) => void }) {
  return (
    <NumberInput
      label={props.label}
      value={props.value}
      min={1}
      max={100}
      allowDecimal={false}
      onChange={(value) => props.onChange(Number(value) || 1)}
    />
  )
}
