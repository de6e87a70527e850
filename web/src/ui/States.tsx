import { Button, Loader } from '@mantine/core'
import { IconPlugConnectedX, IconReload } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { asApiError, errorText } from '../api/error'
import classes from './States.module.css'

/** Nothing to show: says what the thing is for and offers the first step. */
export function Empty({
  icon,
  title,
  children,
  action,
}: {
  icon?: ReactNode
  title: string
  children?: ReactNode
  action?: ReactNode
}) {
  return (
    <div className={classes.state}>
      {icon && <div className={classes.icon}>{icon}</div>}
      <h2 className={classes.title}>{title}</h2>
      {children && <div className={classes.text}>{children}</div>}
      {action && <div className={classes.action}>{action}</div>}
    </div>
  )
}

/** Something could not be loaded: says what and offers to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTranslation()
  const detail = asApiError(error)
  const isNotFound = detail.status === 404
  return (
    <div className={classes.state} role="alert">
      <div className={classes.icon}>
        <IconPlugConnectedX size={28} stroke={1.4} />
      </div>
      <h2 className={classes.title}>{isNotFound ? t('errors.notFoundTitle') : t('errors.title')}</h2>
      <div className={classes.text}>
        <p>{isNotFound ? t('errors.notFoundText') : errorText(error)}</p>
        {detail.requestId && (
          <p className="faint">
            {t('errors.request')} <code>{detail.requestId}</code>
          </p>
        )}
      </div>
      {retry && !isNotFound && (
        <div className={classes.action}>
          <Button variant="default" leftSection={<IconReload size={14} />} onClick={retry}>
            {t('common.retry')}
          </Button>
        </div>
      )}
    </div>
  )
}

/** Waiting for the first answer. Appears only after a moment, so that quick answers do not flash. */
export function Loading() {
  const { t } = useTranslation()
  return (
    <div className={classes.loading} role="status" aria-busy="true">
      <Loader size={18} color="gray" />
      <span className="sr">{t('common.loading')}</span>
    </div>
  )
}
