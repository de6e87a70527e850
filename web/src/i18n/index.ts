import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import type { Catalogue } from './en'

/** The languages of the console. */
export const LANGUAGES = ['en', 'zh-CN'] as const
export type Language = (typeof LANGUAGES)[number]

const STORED = 'cronfleet.language'

const loaders: Record<Language, () => Promise<Catalogue>> = {
  en: () => import('./en').then((module) => module.en),
  'zh-CN': () => import('./zh-CN').then((module) => module.zhCN as Catalogue),
}

/** The stored choice, else what the browser prefers. */
export function preferredLanguage(): Language {
  const stored = localStorage.getItem(STORED)
  const wanted = stored ?? navigator.language
  return wanted.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

/** Loads one catalogue and starts translating. Called once, before the first draw. */
export async function startI18n(language: Language): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    supportedLngs: LANGUAGES,
    resources: { [language]: { translation: await loaders[language]() } },
    interpolation: { escapeValue: false },
    returnNull: false,
  })
  document.documentElement.lang = language
}

/** Switches at once, without a reload, and remembers the choice. */
export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(STORED, language)
  if (!i18next.hasResourceBundle(language, 'translation')) {
    i18next.addResourceBundle(language, 'translation', await loaders[language]())
  }
  await i18next.changeLanguage(language)
  document.documentElement.lang = language
}
