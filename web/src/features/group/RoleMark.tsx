import { useTranslation } from 'react-i18next'
import type { Role } from '../../api/types'
import { ROLES } from '../../lib/roles'
import classes from './RoleMark.module.css'

/** A role as a word with four steps that tell how far it goes. */
export function RoleMark({ role }: { role: Role }) {
  const { t } = useTranslation()
  const level = ROLES.indexOf(role)
  return (
    <span className={classes.role}>
      <span className={classes.steps} aria-hidden>
        {ROLES.map((each, nth) => (
          <i key={each} data-on={nth <= level || undefined} />
        ))}
      </span>
      {t(`role.${role}`)}
    </span>
  )
}
