import { Button, Modal, Stack, Textarea, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError, errorText } from '../../api/error'
import { putSecret } from '../../api/secrets'
import type { Group } from '../../api/types'
import { notifyDone } from '../../ui/notify'

interface SecretDialogProps {
  group: Group
  /** Empty for a new secret. */
  name: string
  onClose: () => void
  onDone: () => void
}

/** Makes a secret or gives it a new value. The value stands in no address and is gone with the dialog. */
export function SecretDialog({ group, name: given, onClose, onDone }: SecretDialogProps) {
  const { t } = useTranslation()
  const [name, setName] = useState(given)
  const [value, setValue] = useState('')
  const save = useMutation({
    mutationFn: () => putSecret(group.id, name.trim(), value),
    // Nothing keeps the value: not the cache of mutations, not a retry.
    gcTime: 0,
    onSuccess: (secret) => {
      notifyDone(t('secrets.done', { name: secret.name }))
      onDone()
      onClose()
    },
  })
  const refused = save.error ? asApiError(save.error) : undefined
  const errorAt = (field: string) => (refused?.field === field ? errorText(refused) : undefined)
  const isElsewhere = refused && refused.field !== 'name' && refused.field !== 'value'
  const submit = (event: FormEvent) => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Modal
      opened
      onClose={onClose}
      title={given ? t('secrets.replaceNamed', { name: given }) : t('secrets.add')}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <form onSubmit={submit} autoComplete="off">
        <Stack gap={14}>
          {isElsewhere && (
            <p role="alert" className="danger">
              {errorText(refused)}
            </p>
          )}
          {!given && (
            <TextInput
              label={t('secrets.name')}
              description={t('secrets.nameText')}
              placeholder="db-password"
              value={name}
              maxLength={64}
              required
              withAsterisk={false}
              spellCheck={false}
              data-autofocus
              onChange={(event) => setName(event.currentTarget.value)}
              error={errorAt('name')}
            />
          )}
          <Textarea
            label={t('secrets.value')}
            description={t('secrets.valueText')}
            value={value}
            autosize
            minRows={2}
            maxRows={8}
            required
            withAsterisk={false}
            spellCheck={false}
            data-autofocus={given ? true : undefined}
            onChange={(event) => setValue(event.currentTarget.value)}
            error={errorAt('value')}
          />
          <Button
            type="submit"
            loading={save.isPending}
            disabled={!name.trim() || !value}
            style={{ alignSelf: 'flex-end' }}
          >
            {t('common.save')}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
