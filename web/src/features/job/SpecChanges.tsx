import i18next from 'i18next'
import { useTranslation } from 'react-i18next'
import type { IoPriority, JobSpec } from '../../api/types'
import { joinArgv } from '../../lib/argv'
import { type Change, changes, lineDiff } from '../../lib/diff'
import { formatSpan } from '../../lib/span'
import { dateTime } from '../../lib/time'
import { Code } from '../../ui/Code'
import { useAgentNames } from '../agent/useAgents'
import { ioText } from './limits'
import classes from './SpecChanges.module.css'
import { secretText } from './secretText'
import { complete } from './spec'

/** The values that differ between two definitions. */
export function specChanges(before: JobSpec, after: JobSpec): Change[] {
  return changes(complete(before), complete(after))
}

/** The differing values as a table: name, before, after; long texts line by line. */
export function SpecChanges({ before, after }: { before: JobSpec; after: JobSpec }) {
  const { t } = useTranslation()
  const names = useAgentNames()
  const list = specChanges(before, after)
  if (list.length === 0) return <p className="dim">{t('editor.noChanges')}</p>
  return (
    <table className={classes.table}>
      <thead>
        <tr>
          <th>{t('editor.field')}</th>
          <th>{t('editor.before')}</th>
          <th>{t('editor.after')}</th>
        </tr>
      </thead>
      <tbody>
        {list.map((change) =>
          isLong(change.before) || isLong(change.after) ? (
            <tr key={change.path}>
              <th scope="row">{fieldName(change.path)}</th>
              <td colSpan={2}>
                <Lines before={String(change.before ?? '')} after={String(change.after ?? '')} />
              </td>
            </tr>
          ) : (
            <tr key={change.path}>
              <th scope="row">{fieldName(change.path)}</th>
              <td className={change.before == null || change.before === '' ? 'faint' : classes.before}>
                {fieldValue(change.path, change.before, names)}
              </td>
              <td className={classes.after}>{fieldValue(change.path, change.after, names)}</td>
            </tr>
          ),
        )}
      </tbody>
    </table>
  )
}

function isLong(value: unknown): boolean {
  return typeof value === 'string' && value.includes('\n')
}

function Lines({ before, after }: { before: string; after: string }) {
  return (
    <Code className={classes.lines}>
      {lineDiff(before, after).map((line, nth) => (
        <div key={nth} data-kind={line.kind}>
          {line.kind === 'added' ? '+ ' : line.kind === 'removed' ? '- ' : '  '}
          {line.text}
        </div>
      ))}
    </Code>
  )
}

/** Name of a field by its path. */
export function fieldName(path: string): string {
  if (path.startsWith('environment.')) return path.slice('environment.'.length)
  const key = `field.${path.replaceAll('.', '_')}`
  return i18next.exists(key) ? i18next.t(key as 'field.name') : path
}

/** Values that are stable words, and where their texts are. */
const WORDS: Record<string, string> = {
  'scheduled.dst.gap': 'dstPolicy.gap',
  'scheduled.dst.overlap': 'dstPolicy.overlap',
  'scheduled.calendar.mode': 'calendar.mode',
  'scheduled.calendar.name': 'calendar.name',
  'scheduled.overlap': 'overlap',
  'target.mode': 'targetMode',
  'target.pick': 'pick',
  'scheduled.catch_up.policy': 'catchUp',
  'daemon.restart': 'restart',
  'output.mode': 'output',
  'output.when_full': 'output',
  stragglers: 'stragglers',
  'limits.io_priority.class': 'limits.io',
}

/** A value of a field as people read it. */
export function fieldValue(path: string, value: unknown, names: ReadonlyMap<string, string>): string {
  const { t } = i18next
  if (value === null || value === undefined || value === '') return '–'
  if (typeof value === 'boolean') return t(value ? 'common.yes' : 'common.no')
  if (path.endsWith('_ms') && typeof value === 'number') return formatSpan(value)
  if (path.startsWith('scheduled.active_') || path === 'snoozed_until')
    return dateTime(String(value), i18next.language)
  if (path === 'limits.io_priority') return ioText(value as IoPriority)
  if (path === 'target.agent_ids' && Array.isArray(value))
    return value.map((id) => names.get(id) ?? id).join(', ') || '–'
  if (path === 'secrets' && Array.isArray(value)) return value.map(secretText).join(', ') || '–'
  if (Array.isArray(value)) return joinArgv(value.map(String))
  if (typeof value === 'object') return JSON.stringify(value)
  const words = WORDS[path]
  const key = words ? `${words}.${value}` : ''
  if (key && i18next.exists(key)) return t(key as 'overlap.forbid')
  return String(value)
}
