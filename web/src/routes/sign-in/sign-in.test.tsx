import { screen, waitFor } from '@testing-library/react'
import { expect, it } from 'vitest'
import { open } from '../../dev/render'

it('leads from a page to the sign-in and back to that page', async () => {
  const { user, router } = open('/runs?outcome=failed', {})
  await user.type(await screen.findByLabelText('Login'), 'olga')
  await user.type(screen.getByLabelText('Password'), 'wrong')
  await user.click(screen.getByRole('button', { name: 'Sign in' }))
  expect(await screen.findByRole('alert')).toHaveProperty('textContent', 'Login or password is wrong.')

  await user.clear(screen.getByLabelText('Password'))
  await user.type(screen.getByLabelText('Password'), 'correct horse battery')
  await user.click(screen.getByRole('button', { name: 'Sign in' }))
  await waitFor(() => expect(router.state.location.href).toBe('/runs?outcome=failed'))
  expect(await screen.findByRole('heading', { name: 'Runs' })).toBeTruthy()
})

it('never leads out of the console', async () => {
  const { user, router } = open('/sign-in?to=//evil.example/x', {})
  await user.type(await screen.findByLabelText('Login'), 'olga')
  await user.type(screen.getByLabelText('Password'), 'correct horse battery')
  await user.click(screen.getByRole('button', { name: 'Sign in' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/jobs'))
})

it('creates the first administrator with the setup code and shows the password rule', async () => {
  const { user, router } = open('/', { isNew: true })
  const code = await screen.findByLabelText('Setup code')
  expect(screen.getByText(/12 to 128 characters/)).toBeTruthy()
  const create = screen.getByRole('button', { name: 'Create and sign in' })
  await user.type(screen.getByLabelText('Password'), 'too short')
  expect(create).toHaveProperty('disabled', true)
  await user.type(screen.getByLabelText('Password'), ' but longer')
  await user.type(code, 'cfs-0000')
  await user.click(create)
  expect(await screen.findByText(/setup code is wrong/)).toBeTruthy()

  await user.clear(code)
  await user.type(code, 'cfs-1234')
  await user.click(create)
  await waitFor(() => expect(router.state.location.pathname).toBe('/jobs'))
})
