import { Select } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { now } from '../../lib/now'
import { offsetName } from '../../lib/time'

interface ZoneSelectProps {
  value: string
  onChange: (zone: string) => void
  error?: string
}

/** An IANA time zone, found by any part of its name. */
export function ZoneSelect({ value, onChange, error }: ZoneSelectProps) {
  const { t, i18n } = useTranslation()
  const zones = useMemo(() => {
    const at = now()
    const names = [...new Set(['UTC', value, ...Intl.supportedValuesOf('timeZone')])]
    return names.map((name) => ({
      value: name,
      label: name === 'UTC' ? name : `${name} (${offsetName(at, name, i18n.language)})`,
    }))
  }, [value, i18n.language])
  return (
    <Select
      label={t('schedule.zone')}
      data={zones}
      value={value}
      onChange={(zone) => zone && onChange(zone)}
      searchable
      allowDeselect={false}
      limit={80}
      nothingFoundMessage={t('common.nothing')}
      error={error}
    />
  )
}
