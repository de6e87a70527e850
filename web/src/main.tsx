import { createRoot } from 'react-dom/client'
import { App } from './app'
import { preferredLanguage, startI18n } from './i18n'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no element #root')

await startI18n(preferredLanguage())
createRoot(root).render(<App />)
