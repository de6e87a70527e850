import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './theme/tokens.css'
import './theme/global.css'
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { asApiError } from './api/error'
import type { createAppRouter } from './router'
import { cssVariables, theme } from './theme/theme'
import { ConfirmProvider } from './ui/Confirm'

const colorScheme = localStorageColorSchemeManager({ key: 'cronfleet.theme' })

/** Answers that say "no" stay "no"; only a center that cannot be reached or fails is asked again. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        retry: (count, thrown) => {
          const { status } = asApiError(thrown)
          return count < 2 && (status === 0 || status >= 500)
        },
      },
    },
  })
}

interface AppProps {
  client: QueryClient
  router: ReturnType<typeof createAppRouter>
  /** `test` draws without transitions. */
  env?: 'default' | 'test'
}

/** The whole console over one client and router. */
export function App({ client, router, env }: AppProps) {
  return (
    <MantineProvider
      env={env}
      theme={theme}
      cssVariablesResolver={cssVariables}
      colorSchemeManager={colorScheme}
      defaultColorScheme="auto"
    >
      <QueryClientProvider client={client}>
        <ConfirmProvider>
          <RouterProvider router={router} />
        </ConfirmProvider>
        <Notifications position="bottom-right" limit={4} />
      </QueryClientProvider>
    </MantineProvider>
  )
}
