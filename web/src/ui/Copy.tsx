import { ActionIcon, CopyButton, Tooltip } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import classes from './Copy.module.css'

/** A small button that copies a text. */
export function Copy({ text, what }: { text: string; what: string }) {
  const { t } = useTranslation()
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? t('common.copied') : what}>
          <ActionIcon onClick={copy} aria-label={what} size={22}>
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  )
}

/** A command to copy and run somewhere else. */
export function CommandLine({ text, what }: { text: string; what: string }) {
  return (
    <div className={classes.command}>
      <code>{text}</code>
      <Copy text={text} what={what} />
    </div>
  )
}
