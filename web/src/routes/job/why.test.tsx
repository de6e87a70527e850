import { screen } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '../../dev/render'

it('tells what became of each due time, why, and who decided it', async () => {
  const { router } = open('/jobs')
  const link = await screen.findByRole('link', { name: 'session-gc' })
  await router.navigate({ href: `${link.getAttribute('href')}?tab=why` })
  const lapse = (await screen.findByText('no run, 12 times')).closest('tr')
  expect(lapse?.textContent).toContain('no center was up to plan it')
  expect(lapse?.textContent).toContain('center-a, term 7')
  expect(screen.getByRole('button', { name: 'Time range' }).textContent).toContain('24')
})
