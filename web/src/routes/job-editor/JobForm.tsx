import {
  Button,
  Collapse,
  SegmentedControl,
  Select,
  Textarea,
  TextInput,
  UnstyledButton,
} from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconChevronRight } from '@tabler/icons-react'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type ApiError, errorHint, errorText } from '../../api/error'
import type { Group } from '../../api/types'
import { AgentPicker } from '../../features/agent/AgentPicker'
import { type Draft, timingOf } from '../../features/job/draft'
import { type FieldPath, inputOf } from '../../features/job/fieldErrors'
import { usePreview } from '../../features/schedule/usePreview'
import { AdvancedFields, advancedPaths } from './AdvancedFields'
import { CommandFields } from './CommandFields'
import { DaemonFields } from './DaemonFields'
import classes from './JobForm.module.css'
import { PreviewPanel } from './PreviewPanel'
import { ScheduleFields } from './ScheduleFields'
import { TargetFields } from './TargetFields'

/** What every part of the form gets. */
export interface FieldsProps {
  draft: Draft
  set: (change: Partial<Draft>) => void
  /** The text of the error at an input, if the center refused it. */
  errorAt: (path: FieldPath) => string | undefined
}

interface JobFormProps {
  initial: Draft
  /** Groups that the job may belong to; one when it cannot be changed. */
  groups: readonly Group[]
  jobId?: string
  refusal: ApiError | undefined
  saveLabel: string
  isSaving: boolean
  /** Shown beside the buttons. */
  aside?: (draft: Draft) => ReactNode
  onSave: (draft: Draft) => void
  onCancel: () => void
}

/** The form of a job: definition left, what it means right. */
export function JobForm(props: JobFormProps) {
  const { t } = useTranslation()
  const { groups, refusal } = props
  const [draft, setDraft] = useState(props.initial)
  const set = (change: Partial<Draft>) => setDraft((old) => ({ ...old, ...change }))
  const timing = { ...timingOf(draft), group_id: draft.groupId || undefined }
  const live = usePreview(timing, props.jobId, draft.kind === 'scheduled')
  const group = groups.find((each) => each.id === draft.groupId)
  const refusedInput = refusal ? inputOf(refusal) : undefined
  const errorAt = (path: FieldPath) => (refusal && refusedInput === path ? withHint(refusal) : undefined)
  const [isAdvancedOpen, advanced] = useDisclosure(false)
  const isAdvancedRefused = refusedInput !== undefined && advancedPaths.includes(refusedInput)
  const runAs = [...new Set([...(group?.run_as ?? []), ...(draft.runAs ? [draft.runAs] : [])])]

  const submit = (event: FormEvent) => {
    event.preventDefault()
    props.onSave(draft)
  }

  return (
    <form onSubmit={submit} className={classes.form} noValidate>
      <div className={classes.columns}>
        <div className={classes.fields}>
          {refusal && !refusedInput && (
            <p role="alert" className={classes.refusal}>
              {withHint(refusal)}
            </p>
          )}
          <Part title={t('editor.what')}>
            <SegmentedControl
              aria-label={t('filter.kind')}
              value={draft.kind}
              onChange={(kind) => set({ kind: kind === 'daemon' ? 'daemon' : 'scheduled' })}
              data={[
                { value: 'scheduled', label: t('kind.scheduled') },
                { value: 'daemon', label: t('kind.daemon') },
              ]}
              className={classes.start}
            />
            <p className="dim">{t(`kind.${draft.kind}Text`)}</p>
            <div className={classes.pair}>
              <TextInput
                label={t('field.name')}
                value={draft.name}
                maxLength={128}
                required
                withAsterisk={false}
                autoFocus={!props.jobId}
                onChange={(event) => set({ name: event.currentTarget.value })}
                error={errorAt('name')}
              />
              <Select
                label={t('field.group_id')}
                data={groups.map((each) => ({ value: each.id, label: each.name }))}
                value={draft.groupId}
                disabled={Boolean(props.jobId)}
                allowDeselect={false}
                onChange={(id) => {
                  const next = groups.find((each) => each.id === id)
                  if (next) set({ groupId: next.id, agentIds: [], runAs: next.run_as[0] ?? '' })
                }}
                error={errorAt('group_id')}
              />
            </div>
            <Textarea
              label={t('field.description')}
              value={draft.description}
              autosize
              minRows={1}
              maxRows={6}
              onChange={(event) => set({ description: event.currentTarget.value })}
              error={errorAt('description')}
            />
          </Part>
          {draft.kind === 'scheduled' ? (
            <ScheduleFields
              draft={draft}
              set={set}
              errorAt={errorAt}
              refusal={live.refusal}
              hasClockChanges={(live.preview?.clock_changes.length ?? 0) > 0}
            />
          ) : (
            <DaemonFields draft={draft} set={set} errorAt={errorAt} />
          )}
          <CommandFields draft={draft} set={set} errorAt={errorAt} runAs={runAs} />
          <Part title={t('editor.where')}>
            <AgentPicker
              groupId={draft.groupId}
              isEvery={draft.isEveryAgent}
              agentIds={draft.agentIds}
              onChange={(isEveryAgent, agentIds) => set({ isEveryAgent, agentIds })}
              error={errorAt('target')}
            />
            {draft.kind === 'scheduled' && <TargetFields draft={draft} set={set} errorAt={errorAt} />}
          </Part>
          <section>
            <UnstyledButton
              className={classes.fold}
              aria-expanded={isAdvancedOpen || isAdvancedRefused}
              onClick={advanced.toggle}
            >
              <IconChevronRight size={14} aria-hidden />
              {t('editor.advanced')}
              <span className="faint">{t('editor.advancedText')}</span>
            </UnstyledButton>
            <Collapse expanded={isAdvancedOpen || isAdvancedRefused}>
              <AdvancedFields draft={draft} set={set} errorAt={errorAt} />
            </Collapse>
          </section>
        </div>
        <PreviewPanel draft={draft} jobId={props.jobId} live={live} />
      </div>
      <div className={classes.footer}>
        <Button type="submit" loading={props.isSaving}>
          {props.saveLabel}
        </Button>
        <Button variant="default" onClick={props.onCancel}>
          {t('common.cancel')}
        </Button>
        {props.aside?.(draft)}
      </div>
    </form>
  )
}

function withHint(refusal: ApiError): string {
  const hint = errorHint(refusal)
  return hint ? `${errorText(refusal)} (${hint})` : errorText(refusal)
}

/** A group of inputs. */
export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={classes.part}>
      <h2 className={classes.partTitle}>{title}</h2>
      {children}
    </section>
  )
}
