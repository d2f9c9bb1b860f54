import { MemoError } from '@memo/core'
import type { StoredObject } from '@memo/sdk'

const UNITS = ['bytes', 'kB', 'MB', 'GB'] as const
const SHOWN_CHARS = 10

/** The element of this id, of the type that the page gives it. */
export function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new TypeError(`the page has no ${type.name} #${id}`)
  return found
}

const account = element('account', HTMLElement)
const network = element('network', HTMLElement)
const notice = element('notice', HTMLElement)
const work = element('work', HTMLElement)
const what = element('what', HTMLElement)
const stage = element('stage', HTMLElement)
const progress = element('progress', HTMLProgressElement)
const files = element('files', HTMLUListElement)
const empty = element('empty', HTMLElement)

export function showAccount(did: string, nodes: { readonly keepers: number; readonly providers: number }): void {
  account.textContent = `You are ${short(did)}`
  account.title = did
  network.textContent = `Served by ${count(nodes.keepers, 'keeper')} and ${count(nodes.providers, 'provider')}`
}

/** What went wrong, and what can be done about it. */
export function showError(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error)
  notice.textContent = error instanceof MemoError && error.fix ? `${text}. ${error.fix}` : text
  notice.hidden = false
}

export function hideError(): void {
  notice.hidden = true
}

/** Shows what is being done, and how far it is from 0 to 1. */
export function showWork(name: string, stageText: string, part: number): void {
  work.hidden = false
  what.textContent = name
  stage.textContent = stageText
  progress.value = part
}

export function hideWork(): void {
  work.hidden = true
}

export type FileActions = {
  readonly save: (object: StoredObject) => void
  readonly remove: (object: StoredObject) => void
}

/** The list of files, newest first. */
export function showFiles(objects: readonly StoredObject[], actions: FileActions): void {
  files.replaceChildren(...objects.map((object) => fileItem(object, actions)).reverse())
  empty.hidden = objects.length > 0
}

/** Hands bytes to the person as a file. */
export function saveAs(name: string, parts: readonly Uint8Array[], contentType: string): void {
  const url = URL.createObjectURL(new Blob([...parts] as BlobPart[], { type: contentType }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}

export function formatBytes(sizeBytes: number): string {
  let size = sizeBytes
  let unit = 0
  while (size >= 1_000 && unit < UNITS.length - 1) {
    size /= 1_000
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${UNITS[unit]}`
}

function fileItem(object: StoredObject, actions: FileActions): HTMLLIElement {
  const item = document.createElement('li')
  const text = document.createElement('div')
  text.className = 'text'
  const facts = `${formatBytes(object.sizeBytes)} · ${object.isPublic ? 'public' : 'sealed'} · `
  const cid = withText('code', short(object.cid ?? ''))
  cid.title = object.cid ?? ''
  const line = withText('div', facts, 'quiet')
  line.append(cid)
  text.append(withText('div', object.name ?? '', 'name'), line)
  const buttons = document.createElement('div')
  buttons.className = 'buttons'
  buttons.append(button('Save', object, actions.save, 'main'), button('Delete', object, actions.remove))
  item.append(text, buttons)
  return item
}

function button(
  label: string,
  object: StoredObject,
  act: (object: StoredObject) => void,
  look = '',
): HTMLButtonElement {
  const made = document.createElement('button')
  made.type = 'button'
  made.className = look
  made.textContent = label
  made.setAttribute('aria-label', `${label} ${object.name ?? ''}`)
  made.addEventListener('click', () => act(object))
  return made
}

function withText(tag: 'div' | 'code', text: string, className = ''): HTMLElement {
  const made = document.createElement(tag)
  made.textContent = text
  made.className = className
  return made
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** Both ends of a long name. */
function short(text: string): string {
  const prefix = text.startsWith('did:memo:') ? 'did:memo:' : ''
  const rest = text.slice(prefix.length)
  if (rest.length <= 2 * SHOWN_CHARS) return text
  return `${prefix}${rest.slice(0, SHOWN_CHARS)}…${rest.slice(-SHOWN_CHARS)}`
}
