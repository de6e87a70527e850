import { Button, Textarea, TextInput } from '@mantine/core'
import { IconFileImport } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { replaceCalendar, yearQuery } from '../../api/calendars'
import { asApiError, errorText } from '../../api/error'
import type { Calendar } from '../../api/types'
import { BaseSelect } from '../../features/calendar/BaseSelect'
import { flip } from '../../features/calendar/days'
import { YearView } from '../../features/calendar/YearView'
import { notifyDone } from '../../ui/notify'
import { Page } from '../../ui/Page'
import { Loading } from '../../ui/States'
import classes from './CalendarEditor.module.css'
import { ImportDialog } from './ImportDialog'
import { useYear } from './useYear'

const FIELDS = ['spec.description', 'spec.weekdays', 'spec.extends']

/** Changes what a calendar says. The year shows the draft; nothing is stored before it is saved. */
export function CalendarEditor({
  calendar,
  parent,
  onClose,
}: {
  calendar: Calendar
  parent: ReactNode
  onClose: () => void
}) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { year, setYear } = useYear()
  // What others save meanwhile must not be overwritten: the draft goes with the version that it was made from.
  const [basis] = useState(calendar)
  const [draft, setDraft] = useState(basis.spec)
  const [isImporting, setImporting] = useState(false)
  const days = useQuery(yearQuery(draft, year))
  const save = useMutation({
    mutationFn: () => replaceCalendar(basis.id, basis.version, draft),
    onSuccess: async (saved) => {
      client.setQueryData(['calendars', 'one', saved.id], saved)
      notifyDone(t('calendars.savedDone', { count: saved.job_count ?? 0 }))
      onClose()
      const keys = [['calendars', 'list'], ['jobs'], ['preview']]
      await Promise.all(keys.map((queryKey) => client.invalidateQueries({ queryKey })))
    },
  })
  const thrown = save.error ?? days.error
  const refused = thrown ? asApiError(thrown) : undefined
  const errorAt = (field: string) => (refused?.field === field ? errorText(refused) : undefined)
  return (
    <Page
      title={basis.spec.name}
      parent={parent}
      actions={
        <>
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button loading={save.isPending} onClick={() => save.mutate()}>
            {t('common.save')}
          </Button>
        </>
      }
    >
      {refused && !FIELDS.includes(refused.field ?? '') && (
        <p role="alert" className="danger">
          {errorText(refused)}
        </p>
      )}
      <div className={classes.fields}>
        <BaseSelect
          value={draft}
          onChange={(base) => setDraft({ ...draft, ...base })}
          error={errorAt('spec.weekdays') ?? errorAt('spec.extends')}
        />
        <TextInput
          type="date"
          label={t('calendars.knownUntil')}
          description={t('calendars.knownUntilText')}
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          value={draft.known_until ?? ''}
          onChange={(event) => setDraft({ ...draft, known_until: event.currentTarget.value || undefined })}
        />
        <Textarea
          label={t('calendars.description')}
          value={draft.description ?? ''}
          maxLength={1_000}
          autosize
          onChange={(event) => setDraft({ ...draft, description: event.currentTarget.value })}
          error={errorAt('spec.description')}
        />
      </div>
      <div className={classes.tools}>
        <span className="dim">{t('calendars.flip')}</span>
        <Button
          variant="default"
          leftSection={<IconFileImport size={14} />}
          onClick={() => setImporting(true)}
        >
          {t('calendars.import.action')}
        </Button>
      </div>
      {days.data ? (
        <YearView
          days={days.data}
          year={days.data.year}
          onYear={setYear}
          onDay={(day, counts) => setDraft(flip(draft, day, counts))}
        />
      ) : (
        !days.error && <Loading />
      )}
      {isImporting && <ImportDialog spec={draft} onTake={setDraft} onClose={() => setImporting(false)} />}
    </Page>
  )
}
