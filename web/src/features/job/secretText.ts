import type { SecretUse } from '../../api/types'

/** A secret and where the process finds it: `db → $DB_PASSWORD`, `key → key.pem`. */
export function secretText(secret: SecretUse): string {
  return `${secret.name} → ${'env' in secret.as ? `$${secret.as.env}` : secret.as.file}`
}
