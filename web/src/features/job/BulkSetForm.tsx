import { Button, Checkbox, MultiSelect, Select, Stack, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { BulkChange, Overlap } from '../../api/types'
import { viewerZone } from '../../lib/time'
import { SpanInput } from '../../ui/SpanInput'
import { useAgentOptions } from '../agent/useAgents'
import { ZoneSelect } from '../schedule/ZoneSelect'
import { fieldName } from './SpecChanges'

type Fields = Extract<BulkChange, { action: 'set' }>['fields']

/** Fields that many jobs can get at once. */
const FIELDS = [
  'run_as',
  'target',
  'scheduled.time_zone',
  'scheduled.overlap',
  'scheduled.timeout_ms',
] as const
type Field = (typeof FIELDS)[number]

const OVERLAPS: readonly Overlap[] = ['forbid', 'allow', 'queue', 'replace']

/** Which field many jobs get, and which value. */
export function BulkSetForm({ onSubmit }: { onSubmit: (fields: Fields) => void }) {
  const { t } = useTranslation()
  const agents = useAgentOptions()
  const [field, setField] = useState<Field>('run_as')
  const [user, setUser] = useState('')
  const [isAll, setAll] = useState(true)
  const [chosen, setChosen] = useState<string[]>([])
  const [zone, setZone] = useState(viewerZone())
  const [overlap, setOverlap] = useState<Overlap>('forbid')
  const [timeout, setTimeout] = useState<number>()
  const values: Record<Field, unknown> = {
    run_as: user.trim() || undefined,
    target: isAll ? { all: true } : chosen.length > 0 ? { agent_ids: chosen } : undefined,
    'scheduled.time_zone': zone,
    'scheduled.overlap': overlap,
    // No time limit is a value, too.
    'scheduled.timeout_ms': timeout ?? null,
  }
  const value = values[field]
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (value !== undefined) onSubmit({ [field]: value })
  }
  return (
    <form onSubmit={submit}>
      <Stack gap={14}>
        <Select
          label={t('bulk.field')}
          data={FIELDS.map((each) => ({ value: each, label: fieldName(each) }))}
          value={field}
          onChange={(next) => next && setField(next as Field)}
          allowDeselect={false}
        />
        {field === 'run_as' && (
          <TextInput
            label={fieldName(field)}
            value={user}
            onChange={(event) => setUser(event.currentTarget.value)}
          />
        )}
        {field === 'target' && (
          <>
            <Checkbox
              label={t('bulk.allAgents')}
              checked={isAll}
              onChange={(event) => setAll(event.currentTarget.checked)}
            />
            {!isAll && (
              <MultiSelect
                label={t('bulk.agents')}
                data={agents}
                value={chosen}
                onChange={setChosen}
                searchable
              />
            )}
          </>
        )}
        {field === 'scheduled.time_zone' && <ZoneSelect value={zone} onChange={setZone} />}
        {field === 'scheduled.overlap' && (
          <Select
            label={fieldName(field)}
            data={OVERLAPS.map((each) => ({ value: each, label: t(`overlap.${each}`) }))}
            value={overlap}
            onChange={(next) => next && setOverlap(next as Overlap)}
            allowDeselect={false}
          />
        )}
        {field === 'scheduled.timeout_ms' && (
          <SpanInput
            label={fieldName(field)}
            value={timeout}
            onChange={setTimeout}
            emptyMeans={t('bulk.noLimit')}
          />
        )}
        <Button type="submit" disabled={value === undefined} style={{ alignSelf: 'flex-end' }}>
          {t('bulk.look')}
        </Button>
      </Stack>
    </form>
  )
}
