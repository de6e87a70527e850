import { account, groups, setup, signIn, users } from './access'
import { agents, centers, cgroups } from './agents'
import { bulk } from './bulk'
import { calendars } from './calendars'
import { daemons, next, probe, slot } from './daemons'
import {
  calendar,
  catchUp,
  dstPolicy,
  editor,
  field,
  limits,
  overlap,
  pick,
  restart,
  schedule,
  stragglers,
  targetMode,
} from './editor'
import { errors, scheduleErrors } from './errors'
import { forecast } from './forecast'
import { jobs, kind, lapses, why } from './jobs'
import { output } from './output'
import { cause, cleanup, reason, runs, status } from './runs'
import { secrets } from './secrets'
import { common, connection, filter, nav, palette, role, shell, shortcut, time } from './shell'
import { snooze, windows } from './windows'

/** Every text of the console in English. Its shape is the law for the other languages. */
export const en = {
  account,
  agents,
  bulk,
  calendar,
  calendars,
  cause,
  centers,
  catchUp,
  cgroups,
  cleanup,
  common,
  connection,
  daemons,
  dstPolicy,
  editor,
  errors,
  field,
  filter,
  forecast,
  groups,
  jobs,
  kind,
  lapses,
  limits,
  nav,
  next,
  output,
  overlap,
  pick,
  palette,
  probe,
  reason,
  restart,
  role,
  runs,
  schedule,
  scheduleErrors,
  secrets,
  setup,
  shell,
  shortcut,
  signIn,
  slot,
  snooze,
  status,
  targetMode,
  stragglers,
  time,
  users,
  why,
  windows,
}

export type Catalogue = typeof en
