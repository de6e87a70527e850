import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'
import { compress } from './build/compress.ts'
import { mockBackend } from './build/mock.ts'

/** Address of a center for `npm run dev`; `npm run mock` needs none. */
const center = process.env.CRONFLEET_CENTER ?? 'http://127.0.0.1:8780'

export default defineConfig(({ mode }) => ({
  plugins: [react(), compress(), mode === 'mock' ? mockBackend() : null],
  server: { proxy: mode === 'mock' ? undefined : { '/api': center } },
  build: {
    target: 'es2022',
    // Workers, fonts and images never become data: URLs of scripts; the policy allows scripts from 'self' only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // Few files: the center speaks HTTP/1.1, and what every page needs changes rarely.
        codeSplitting: {
          groups: [
            {
              name: 'vendor',
              test: /node_modules\/(react|react-dom|scheduler|@tanstack|i18next|react-i18next)\//,
            },
            {
              name: 'kit',
              test: /node_modules\/(@mantine\/(core|hooks|notifications)|@floating-ui|@tabler)\//,
            },
            { name: 'base', test: /\/src\/(api|lib|ui|features)\// },
          ],
        },
      },
    },
  },
  test: {
    restoreMocks: true,
    unstubGlobals: true,
    projects: [
      { extends: true, test: { name: 'logic', include: ['src/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'pages',
          include: ['src/**/*.test.tsx'],
          environment: 'happy-dom',
          setupFiles: ['src/dev/setup.ts'],
          testTimeout: 90_000,
        },
      },
    ],
  },
}))
