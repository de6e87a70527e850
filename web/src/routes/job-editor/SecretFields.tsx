import { ActionIcon, Autocomplete, Button, SegmentedControl, TextInput } from '@mantine/core'
import { IconPlus, IconX } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { secretsQuery } from '../../api/secrets'
import type { SecretRow } from '../../features/job/draft'
import type { FieldsProps } from './JobForm'
import classes from './JobForm.module.css'

/** Which of the group's secrets the process gets, and how. */
export function SecretFields({ draft, set, errorAt }: FieldsProps) {
  const { t } = useTranslation()
  const known = useQuery({ ...secretsQuery(draft.groupId), enabled: draft.groupId !== '' }).data ?? []
  const put = (nth: number, change: Partial<SecretRow>) =>
    set({ secrets: draft.secrets.map((row, at) => (at === nth ? { ...row, ...change } : row)) })
  return (
    <div className={classes.code}>
      <div className={classes.label}>{t('field.secrets')}</div>
      {draft.secrets.map((row, nth) => (
        <div key={nth} className={classes.secretRow}>
          <Autocomplete
            aria-label={t('secrets.name')}
            placeholder={t('secrets.name')}
            data={known.map((secret) => secret.name)}
            spellCheck={false}
            value={row.name}
            onChange={(name) => put(nth, { name })}
          />
          <SegmentedControl
            aria-label={t('secrets.as')}
            value={row.kind}
            onChange={(kind) => put(nth, { kind: kind === 'file' ? 'file' : 'env' })}
            data={[
              { value: 'env', label: t('secrets.env') },
              { value: 'file', label: t('secrets.file') },
            ]}
          />
          <TextInput
            aria-label={row.kind === 'env' ? t('editor.envName') : t('secrets.fileName')}
            placeholder={row.kind === 'env' ? 'NAME' : t('secrets.fileName')}
            spellCheck={false}
            value={row.place}
            onChange={(event) => put(nth, { place: event.currentTarget.value })}
          />
          <ActionIcon
            aria-label={t('secrets.removeNamed', { name: row.name })}
            onClick={() => set({ secrets: draft.secrets.filter((_, at) => at !== nth) })}
          >
            <IconX size={14} />
          </ActionIcon>
        </div>
      ))}
      {errorAt('secrets') && <p className="danger">{errorAt('secrets')}</p>}
      {draft.secrets.some((row) => row.kind === 'file') && <p className="dim">{t('secrets.fileText')}</p>}
      <Button
        variant="default"
        size="compact-xs"
        leftSection={<IconPlus size={13} />}
        onClick={() => set({ secrets: [...draft.secrets, { name: '', kind: 'env', place: '' }] })}
      >
        {t('secrets.use')}
      </Button>
    </div>
  )
}
