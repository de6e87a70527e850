import { Button, Group, Modal } from '@mantine/core'
import { createContext, type ReactNode, useCallback, useContext, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { errorText } from '../api/error'

/** A question before something that cannot simply be undone. */
export interface Question {
  /** Names the thing: “Kill run of `backup` on `db-1`?” */
  title: string
  /** The consequence, in one line. */
  consequence: ReactNode
  /** The word on the button: the act, not “OK”. */
  action: string
  /** What to do; the dialog stays until it has worked and shows why it has not. */
  run: () => Promise<unknown>
}

const Context = createContext<(question: Question) => void>(() => undefined)

/** Asks before something dangerous. */
export function useConfirm(): (question: Question) => void {
  return useContext(Context)
}

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  const [question, setQuestion] = useState<Question>()
  const [isOpen, setOpen] = useState(false)
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<string>()

  const ask = useCallback((next: Question) => {
    setQuestion(next)
    setError(undefined)
    setOpen(true)
  }, [])

  const act = async () => {
    setBusy(true)
    try {
      await question?.run()
      setOpen(false)
    } catch (thrown) {
      setError(errorText(thrown))
    } finally {
      setBusy(false)
    }
  }

  return (
    <Context.Provider value={ask}>
      {children}
      <Modal
        opened={isOpen}
        onClose={() => setOpen(false)}
        title={question?.title}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        <div className="dim">{question?.consequence}</div>
        {error && (
          <p role="alert" className="danger" style={{ marginTop: 10 }}>
            {error}
          </p>
        )}
        <Group justify="flex-end" gap={8} mt={20}>
          <Button variant="default" onClick={() => setOpen(false)} data-autofocus>
            {t('common.cancel')}
          </Button>
          <Button color="red" loading={isBusy} onClick={act}>
            {question?.action}
          </Button>
        </Group>
      </Modal>
    </Context.Provider>
  )
}
