import { createRoot } from 'react-dom/client'
import { App, createQueryClient } from './app'
import { preferredLanguage, startI18n } from './i18n'
import { createAppRouter } from './router'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no element #root')

await startI18n(preferredLanguage())
const client = createQueryClient()
createRoot(root).render(<App client={client} router={createAppRouter(client)} />)
