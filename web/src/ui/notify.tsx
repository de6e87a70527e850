import { Button } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { IconAlertTriangle, IconCheck } from '@tabler/icons-react'
import { errorText } from '../api/error'
import { randomKey } from '../lib/id'

/** Says what was done, with a way back where there is one. */
export function notifyDone(message: string, undo?: { label: string; run: () => void }): void {
  const id = randomKey()
  notifications.show({
    id,
    message: undo ? (
      <span style={{ display: 'flex', gap: 12, alignItems: 'center', justifyContent: 'space-between' }}>
        {message}
        <Button
          variant="subtle"
          size="compact-xs"
          onClick={() => {
            notifications.hide(id)
            undo.run()
          }}
        >
          {undo.label}
        </Button>
      </span>
    ) : (
      message
    ),
    icon: <IconCheck size={15} />,
    color: 'teal',
    autoClose: undo ? 8_000 : 4_000,
  })
}

/** Says what did not work and why. */
export function notifyError(error: unknown): void {
  notifications.show({
    message: errorText(error),
    icon: <IconAlertTriangle size={15} />,
    color: 'red',
    autoClose: 10_000,
  })
}
