import { getRouteApi } from '@tanstack/react-router'

const route = getRouteApi('/shell/calendars/$calendar')

/** The year in the address. */
export function useYear() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const asked = Number(search.year)
  const isGood = Number.isInteger(asked) && asked >= 1970 && asked <= 2100
  return {
    year: isGood ? asked : new Date().getFullYear(),
    setYear: (year: number) =>
      void navigate({ search: (old) => ({ ...old, year: String(year) }), replace: true }),
  }
}
