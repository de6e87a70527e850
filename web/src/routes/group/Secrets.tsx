import { ActionIcon, Button, Tooltip } from '@mantine/core'
import { IconPencil, IconPlus, IconTrash } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { deleteSecret, secretsQuery } from '../../api/secrets'
import type { Group } from '../../api/types'
import { allows } from '../../lib/roles'
import { useConfirm } from '../../ui/Confirm'
import { notifyDone } from '../../ui/notify'
import { Section } from '../../ui/Page'
import { Ago } from '../../ui/Time'
import classes from './GroupPage.module.css'
import { SecretDialog } from './SecretDialog'

/** The group's secrets by name; editors set and delete them, nobody sees a value. */
export function Secrets({ group }: { group: Group }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const confirm = useConfirm()
  const secrets = useQuery(secretsQuery(group.id)).data ?? []
  const isEditor = allows(group.my_role, 'editor')
  const [edited, setEdited] = useState<string>()
  const refresh = () => client.invalidateQueries({ queryKey: ['groups', group.id, 'secrets'] })
  const remove = (name: string) =>
    confirm({
      title: t('secrets.delete.title', { name }),
      consequence: t('secrets.delete.consequence'),
      action: t('secrets.delete.action'),
      run: async () => {
        await deleteSecret(group.id, name)
        await refresh()
        notifyDone(t('secrets.delete.done', { name }))
      },
    })
  return (
    <Section
      title={t('secrets.title')}
      aside={
        isEditor && (
          <Button
            variant="default"
            size="compact-xs"
            leftSection={<IconPlus size={13} />}
            onClick={() => setEdited('')}
          >
            {t('secrets.add')}
          </Button>
        )
      }
    >
      {secrets.length > 0 ? (
        <ul className={classes.secrets}>
          {secrets.map((secret) => (
            <li key={secret.name}>
              <code className="clip">{secret.name}</code>
              <span className="faint">
                {t('secrets.setBy', { user: secret.updated_by })} <Ago at={secret.updated_at} />
              </span>
              {isEditor && (
                <span className={classes.tools}>
                  <Tooltip label={t('secrets.replace')}>
                    <ActionIcon
                      aria-label={t('secrets.replaceNamed', { name: secret.name })}
                      onClick={() => setEdited(secret.name)}
                    >
                      <IconPencil size={14} />
                    </ActionIcon>
                  </Tooltip>
                  <Tooltip label={t('common.delete')}>
                    <ActionIcon
                      aria-label={t('secrets.delete.named', { name: secret.name })}
                      onClick={() => remove(secret.name)}
                    >
                      <IconTrash size={14} />
                    </ActionIcon>
                  </Tooltip>
                </span>
              )}
            </li>
          ))}
        </ul>
      ) : (
        <p className="dim">{t('secrets.none')}</p>
      )}
      <p className={classes.rights}>{t('secrets.text')}</p>
      {edited !== undefined && (
        <SecretDialog
          group={group}
          name={edited}
          onClose={() => setEdited(undefined)}
          onDone={() => void refresh()}
        />
      )}
    </Section>
  )
}
