import { createMemoryHistory } from '@tanstack/react-router'
import { render } from '@testing-library/react'
import userEvent, { PointerEventsCheckLevel } from '@testing-library/user-event'
import { vi } from 'vitest'
import { App, createQueryClient } from '../app'
import { createAppRouter } from '../router'
import { type Backend, backend } from './backend'

/** Opens the console at an address over the in-memory backend, as a test sees it. */
export function open(address: string, options: Parameters<typeof backend>[0] = { as: 'admin' }) {
  const center: Backend = backend(options)
  vi.stubGlobal('fetch', (input: Request | string, init?: RequestInit) =>
    center.handle(input instanceof Request ? input : new Request(new URL(input, location.href), init)),
  )
  const client = createQueryClient()
  const history = createMemoryHistory({ initialEntries: [address] })
  const router = createAppRouter(client, history)
  const view = render(<App client={client} router={router} env="test" />)
  return {
    ...view,
    center,
    client,
    router,
    user: userEvent.setup({ delay: null, pointerEventsCheck: PointerEventsCheckLevel.Never }),
  }
}
