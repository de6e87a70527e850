import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  type RouterHistory,
  redirect,
} from '@tanstack/react-router'
import { asApiError } from './api/error'
import { meQuery, setupQuery } from './api/session'
import { parseSearch, pick, stringifySearch } from './lib/search'
import { CrashPage, LostPage } from './routes/lost/LostPage'
import { Shell } from './routes/shell/Shell'
import { Loading } from './ui/States'

interface RouterContext {
  client: QueryClient
}

const root = createRootRouteWithContext<RouterContext>()({ component: Outlet, notFoundComponent: LostPage })

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: pick('to'),
  beforeLoad: leaveForSetup,
  component: lazyRouteComponent(() => import('./routes/sign-in/SignInPage'), 'SignInPage'),
})

const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  validateSearch: pick('code'),
  beforeLoad: leaveForSignIn,
  component: lazyRouteComponent(() => import('./routes/sign-in/SetupPage'), 'SetupPage'),
})

/** Everything behind the sign-in. */
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  beforeLoad: requireSession,
})

const index = createRoute({
  getParentRoute: () => shell,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/jobs', search: {} })
  },
})

const jobs = createRoute({
  getParentRoute: () => shell,
  path: '/jobs',
  validateSearch: pick('q', 'group', 'kind', 'paused', 'agent'),
  component: lazyRouteComponent(() => import('./routes/jobs/JobsPage'), 'JobsPage'),
})

const jobNew = createRoute({
  getParentRoute: () => shell,
  path: '/jobs/new',
  validateSearch: pick('kind', 'group', 'from'),
  component: lazyRouteComponent(() => import('./routes/job-editor/JobNewPage'), 'JobNewPage'),
})

const job = createRoute({
  getParentRoute: () => shell,
  path: '/jobs/$jobId',
  validateSearch: pick('tab', 'outcome', 'version', 'from', 'to'),
  component: lazyRouteComponent(() => import('./routes/job/JobPage'), 'JobPage'),
})

const jobEdit = createRoute({
  getParentRoute: () => shell,
  path: '/jobs/$jobId/edit',
  component: lazyRouteComponent(() => import('./routes/job-editor/JobEditPage'), 'JobEditPage'),
})

const runs = createRoute({
  getParentRoute: () => shell,
  path: '/runs',
  validateSearch: pick('job', 'agent', 'group', 'state', 'outcome', 'cause', 'from', 'to'),
  component: lazyRouteComponent(() => import('./routes/runs/RunsPage'), 'RunsPage'),
})

const run = createRoute({
  getParentRoute: () => shell,
  path: '/runs/$runId',
  validateSearch: pick('q', 'stream', 'wrap', 'times', 'view'),
  component: lazyRouteComponent(() => import('./routes/run/RunPage'), 'RunPage'),
})

const daemons = createRoute({
  getParentRoute: () => shell,
  path: '/daemons',
  validateSearch: pick('q', 'group', 'agent', 'state'),
  component: lazyRouteComponent(() => import('./routes/daemons/DaemonsPage'), 'DaemonsPage'),
})

const slot = createRoute({
  getParentRoute: () => shell,
  path: '/daemons/$jobId/$agentId/$index',
  validateSearch: pick('process', 'q', 'stream', 'wrap', 'times', 'view'),
  component: lazyRouteComponent(() => import('./routes/slot/SlotPage'), 'SlotPage'),
})

const agents = createRoute({
  getParentRoute: () => shell,
  path: '/agents',
  validateSearch: pick('q', 'group', 'state', 'online', 'add'),
  component: lazyRouteComponent(() => import('./routes/agents/AgentsPage'), 'AgentsPage'),
})

const agent = createRoute({
  getParentRoute: () => shell,
  path: '/agents/$agentId',
  validateSearch: pick('tab'),
  component: lazyRouteComponent(() => import('./routes/agent/AgentPage'), 'AgentPage'),
})

const groups = createRoute({
  getParentRoute: () => shell,
  path: '/groups',
  validateSearch: pick('tab', 'q'),
  component: lazyRouteComponent(() => import('./routes/groups/GroupsPage'), 'GroupsPage'),
})

const group = createRoute({
  getParentRoute: () => shell,
  path: '/groups/$groupId',
  component: lazyRouteComponent(() => import('./routes/group/GroupPage'), 'GroupPage'),
})

const windows = createRoute({
  getParentRoute: () => shell,
  path: '/windows',
  validateSearch: pick('group', 'job', 'over'),
  component: lazyRouteComponent(() => import('./routes/windows/WindowsPage'), 'WindowsPage'),
})

const calendars = createRoute({
  getParentRoute: () => shell,
  path: '/calendars',
  validateSearch: pick(),
  component: lazyRouteComponent(() => import('./routes/calendars/CalendarsPage'), 'CalendarsPage'),
})

const calendar = createRoute({
  getParentRoute: () => shell,
  path: '/calendars/$calendar',
  validateSearch: pick('year', 'edit'),
  component: lazyRouteComponent(() => import('./routes/calendar/CalendarPage'), 'CalendarPage'),
})

const users = createRoute({
  getParentRoute: () => shell,
  path: '/users',
  validateSearch: pick('q'),
  component: lazyRouteComponent(() => import('./routes/users/UsersPage'), 'UsersPage'),
})

const account = createRoute({
  getParentRoute: () => shell,
  path: '/account',
  component: lazyRouteComponent(() => import('./routes/account/AccountPage'), 'AccountPage'),
})

const routeTree = root.addChildren([
  signIn,
  setup,
  shell.addChildren([
    index,
    jobs,
    jobNew,
    job,
    jobEdit,
    runs,
    run,
    daemons,
    slot,
    agents,
    agent,
    windows,
    calendars,
    calendar,
    groups,
    group,
    users,
    account,
  ]),
])

/** Before the first administrator exists there is nobody to sign in. */
async function leaveForSetup({ context }: { context: RouterContext }): Promise<void> {
  const state = await context.client.fetchQuery(setupQuery).catch(() => undefined)
  if (state?.is_needed) throw redirect({ to: '/setup', search: {} })
}

async function leaveForSignIn({ context }: { context: RouterContext }): Promise<void> {
  const state = await context.client.fetchQuery(setupQuery).catch(() => undefined)
  if (state && !state.is_needed) throw redirect({ to: '/sign-in', search: {} })
}

interface Entered {
  context: RouterContext
  location: { href: string }
}

/** Nobody signed in: to the sign-in, and back here afterwards. */
async function requireSession({ context, location }: Entered): Promise<void> {
  try {
    await context.client.ensureQueryData(meQuery)
  } catch (thrown) {
    if (asApiError(thrown).status !== 401) throw thrown
    const to = location.href === '/' ? undefined : location.href
    throw redirect({ to: '/sign-in', search: { to } })
  }
}

/** `history` is the browser's unless a test brings its own. */
export function createAppRouter(client: QueryClient, history?: RouterHistory) {
  return createRouter({
    routeTree,
    context: { client },
    history,
    parseSearch,
    stringifySearch,
    defaultPreload: 'intent',
    scrollRestoration: true,
    scrollToTopSelectors: ['#content'],
    defaultPendingComponent: Loading,
    defaultPendingMs: 400,
    defaultNotFoundComponent: LostPage,
    defaultErrorComponent: CrashPage,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>
  }
}
