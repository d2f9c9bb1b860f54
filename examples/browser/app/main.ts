/** An application on MEMO: put, list, get and delete, from a page straight to keepers and providers. */
import type { Address } from '@memo/core'
import type { StageEvent, StoredObject } from '@memo/sdk'
import { streamFromBlob } from '@memo/sdk/browser'
import { type Account, type NetworkConfig, openAccount } from './account.ts'
import {
  element,
  formatBytes,
  hideError,
  hideWork,
  saveAs,
  showAccount,
  showError,
  showFiles,
  showWork,
} from './view.ts'

const picker = element('file', HTMLInputElement)
const isPublic = element('public', HTMLInputElement)
const drop = element('drop', HTMLElement)

async function main(): Promise<void> {
  const network = (await (await fetch('network.json')).json()) as NetworkConfig
  const account = await openAccount(network, fund)
  const [keepers, providers] = await Promise.all([account.chain.listKeepers(), account.chain.listProviders()])
  showAccount(account.did, { keepers: keepers.length, providers: providers.length })
  await refresh(account)
  picker.addEventListener('change', () => {
    const [file] = picker.files ?? []
    if (file) act(() => put(account, network, file))
  })
  acceptDrops((file) => act(() => put(account, network, file)))
  picker.disabled = false
}

/** Stores a file. It is read as it is sent, never as a whole. */
async function put(account: Account, { policy }: NetworkConfig, file: File): Promise<void> {
  try {
    await account.storage.put(streamFromBlob(file), {
      did: account.did,
      name: file.name,
      contentType: file.type || 'application/octet-stream',
      isPublic: isPublic.checked,
      readers: [account.publicKey],
      policy,
      onStage: (event) => showWork(`Storing ${file.name}`, ...describeStage(event, file.size)),
    })
  } finally {
    picker.value = ''
  }
  await refresh(account)
}

/** Fetches a file; its bytes were all checked against its CID when it is handed over. */
async function save(account: Account, object: StoredObject): Promise<void> {
  const { manifest } = object
  if (!manifest) return
  const parts: Uint8Array[] = []
  let sizeBytes = 0
  for await (const bytes of account.storage.read(manifest)) {
    parts.push(bytes)
    sizeBytes += bytes.length
    showWork(`Fetching ${manifest.name}`, formatBytes(sizeBytes), sizeBytes / Math.max(1, manifest.sizeBytes))
  }
  saveAs(manifest.name, parts, manifest.contentType)
}

async function remove(account: Account, object: StoredObject): Promise<void> {
  showWork(`Deleting ${object.name}`, '', 0)
  await account.storage.remove(account.did, object)
  await refresh(account)
}

async function refresh(account: Account): Promise<void> {
  const objects: StoredObject[] = []
  for await (const object of account.storage.list(account.did)) objects.push(object)
  showFiles(objects, {
    save: (object) => act(() => save(account, object)),
    remove: (object) => act(() => remove(account, object)),
  })
}

/** Runs what a person asked for and shows how it ends. */
function act(work: () => Promise<void>): void {
  hideError()
  work().catch(showError).finally(hideWork)
}

function describeStage(event: StageEvent, sizeBytes: number): [text: string, part: number] {
  const whole = Math.max(1, sizeBytes)
  if (event.stage === 'stored')
    return [`${event.pieces} of ${event.wanted} pieces stored`, 0.5 + event.pieces / event.wanted / 2]
  if (event.stage === 'durable') return ['durable', 1]
  return [event.stage === 'encoded' ? 'sealing and coding' : 'reading', event.sizeBytes / whole / 2]
}

function acceptDrops(take: (file: File) => void): void {
  drop.addEventListener('dragover', (event) => {
    event.preventDefault()
    drop.classList.add('over')
  })
  drop.addEventListener('dragleave', () => drop.classList.remove('over'))
  drop.addEventListener('drop', (event) => {
    event.preventDefault()
    drop.classList.remove('over')
    const [file] = event.dataTransfer?.files ?? []
    if (file) take(file)
  })
}

/** On a local network, who serves this page gives coins for gas. */
async function fund(address: Address): Promise<void> {
  const answer = await fetch('fund', { method: 'POST', body: address })
  if (!answer.ok) throw new TypeError(await answer.text())
}

main().catch(showError)
