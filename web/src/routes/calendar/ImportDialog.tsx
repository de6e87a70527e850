import { Button, FileInput, Modal, SegmentedControl, Stack, Switch, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { readCalendar } from '../../api/calendars'
import { asApiError, errorHint, errorText } from '../../api/error'
import type { CalendarSpec } from '../../api/types'
import { dates, type Said, say } from '../../features/calendar/days'
import { viewerZone } from '../../lib/time'
import classes from './ImportDialog.module.css'

interface ImportDialogProps {
  spec: CalendarSpec
  onTake: (spec: CalendarSpec) => void
  onClose: () => void
}

/** Takes the days of an iCalendar file into the draft of a calendar; shows them first. */
export function ImportDialog({ spec, onTake, onClose }: ImportDialogProps) {
  const { t } = useTranslation()
  const [file, setFile] = useState<{ text: string; name: string }>()
  const [containing, setContaining] = useState('')
  const [said, setSaid] = useState<Said>('out')
  const [isReplacing, setReplacing] = useState(false)
  const read = useQuery({
    queryKey: ['calendars', 'read', file, containing],
    queryFn: () =>
      readCalendar({
        text: file?.text ?? '',
        containing: containing.trim() || undefined,
        time_zone: viewerZone(),
      }),
    enabled: Boolean(file),
    retry: false,
    gcTime: 0,
  })
  const refused = read.error ? asApiError(read.error) : undefined
  const choose = async (chosen: File | null) =>
    setFile(chosen ? { text: await chosen.text(), name: chosen.name } : undefined)
  const take = () => {
    if (!read.data) return
    const kept = isReplacing ? { ...spec, [said === 'in' ? 'days_in' : 'days_out']: [] } : spec
    onTake(say(kept, dates(read.data.days), said))
    onClose()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('calendars.import.title')}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <Stack gap={14}>
        <FileInput
          label={t('calendars.import.file')}
          accept=".ics,text/calendar"
          placeholder="holidays.ics"
          onChange={(chosen) => void choose(chosen)}
          error={refused && [errorText(refused), errorHint(refused)].filter(Boolean).join('. ')}
        />
        <TextInput
          label={t('calendars.import.containing')}
          description={t('calendars.import.containingText')}
          value={containing}
          onChange={(event) => setContaining(event.currentTarget.value)}
        />
        <SegmentedControl
          aria-label={t('calendars.import.as')}
          data={[
            { value: 'out', label: t('calendars.import.out') },
            { value: 'in', label: t('calendars.import.in') },
          ]}
          value={said}
          onChange={(word) => setSaid(word === 'in' ? 'in' : 'out')}
        />
        <Switch
          label={t('calendars.import.replace')}
          checked={isReplacing}
          onChange={(event) => setReplacing(event.currentTarget.checked)}
        />
        {read.data && (
          <section aria-label={t('calendars.import.preview')}>
            <p>
              {t('calendars.import.found', { count: read.data.day_count, events: read.data.events })}
              {read.data.others > 0 && ` ${t('calendars.import.others', { count: read.data.others })}`}
            </p>
            <ul className={classes.days}>
              {read.data.days.map((days) => (
                <li key={days}>{days.replace('/', ' – ')}</li>
              ))}
            </ul>
          </section>
        )}
        <Button
          onClick={take}
          disabled={!read.data || read.data.day_count === 0}
          style={{ alignSelf: 'flex-end' }}
        >
          {t('calendars.import.take')}
        </Button>
      </Stack>
    </Modal>
  )
}
