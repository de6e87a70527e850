import { PasswordInput } from '@mantine/core'
import { IconCheck, IconPointFilled } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import classes from './PasswordField.module.css'

export const PASSWORD_MIN = 12
export const PASSWORD_MAX = 128

/** Whether the center will take the password. Characters are counted as people see them, not as UTF-16. */
export function isPasswordLongEnough(password: string): boolean {
  const length = [...password].length
  return length >= PASSWORD_MIN && length <= PASSWORD_MAX
}

interface PasswordFieldProps {
  label: string
  value: string
  onChange: (value: string) => void
  error?: string
  size?: 'xs' | 'sm'
}

/** A new password with the rules in sight. */
export function PasswordField({ label, value, onChange, error, size = 'xs' }: PasswordFieldProps) {
  const { t } = useTranslation()
  const length = [...value].length
  const isRight = isPasswordLongEnough(value)
  return (
    <div>
      <PasswordInput
        size={size}
        label={label}
        autoComplete="new-password"
        required
        withAsterisk={false}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
        error={error}
        visibilityToggleButtonProps={{ 'aria-label': t('signIn.show') }}
      />
      <p className={classes.rule} data-right={isRight || undefined}>
        {isRight ? <IconCheck size={13} aria-hidden /> : <IconPointFilled size={13} aria-hidden />}
        {t('signIn.rule', { min: PASSWORD_MIN, max: PASSWORD_MAX })}
        {length > 0 && !isRight && <span className="faint">({length})</span>}
      </p>
    </div>
  )
}
