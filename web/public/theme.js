// Sets theme and language before the first paint, so that nothing flashes. A file of its own: the policy forbids inline scripts.
;(() => {
  const root = document.documentElement
  try {
    const chosen = localStorage.getItem('cronfleet.theme')
    const dark =
      chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
    root.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light')
    const language = localStorage.getItem('cronfleet.language') || navigator.language
    root.lang = language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
  } catch {
    root.setAttribute('data-mantine-color-scheme', 'light')
  }
})()
