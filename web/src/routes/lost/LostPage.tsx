import { Button } from '@mantine/core'
import { IconMapQuestion } from '@tabler/icons-react'
import { type ErrorComponentProps, Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { Empty, Failure } from '../../ui/States'

/** No page has this address. */
export function LostPage() {
  const { t } = useTranslation()
  return (
    <Empty
      icon={<IconMapQuestion size={30} stroke={1.4} />}
      title={t('errors.noPageTitle')}
      action={
        <Button variant="default" renderRoot={(props) => <Link to="/jobs" search={{}} {...props} />}>
          {t('errors.home')}
        </Button>
      }
    >
      {t('errors.noPageText')}
    </Empty>
  )
}

/** A page that could not be shown. */
export function CrashPage({ error, reset }: ErrorComponentProps) {
  return <Failure error={error} retry={reset} />
}
