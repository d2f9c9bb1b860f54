import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { eventually, freshDir, type Ready, startNetwork } from '../support/memo.ts'
import { browserTest, executable, launchChromium } from './support/chromium.ts'
import { countPieces } from './support/local-network.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const EXAMPLE = join(ROOT, 'examples', 'browser')
/** A page keeps no book of orders: its providers store without one. */
const NETWORK = ['--keepers', '1', '--providers', '3', '--policy', 'rs:2+1', '--unpaid-bytes', '10GiB']
const FILE = {
  name: 'grüße & <b>more</b>.txt',
  mimeType: 'text/plain',
  buffer: Buffer.from('Hello.\n'.repeat(100_000)),
}
const PHOTO = { name: 'photo.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(1_400_000, 7) }
const WAIT_MS = 60_000

const undo: (() => void)[] = []
after(() => {
  for (const step of undo.reverse()) step()
})

test('the types of the example application hold, with those of a browser', () => {
  const { status, stdout } = spawnSync(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', join(EXAMPLE, 'app')], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stdout)
})

/** Starts the example's server as a person would; gives what it prints. */
async function serveExample({ rpc, registry }: Ready): Promise<string> {
  const network = ['--rpc', rpc, '--registry', registry, '--policy', 'rs:2+1', '--port', '0']
  const child = spawn(process.execPath, ['--conditions=source', join(EXAMPLE, 'serve.ts'), ...network], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  undo.push(() => child.kill())
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return line
}

/** One page, one story: each test goes on where the one before ended. */
describe('the example application', () => {
  let ready: Ready
  let browser: Browser
  let page: Page
  let url: string
  const complaints: string[] = []

  const open = async () => {
    page = await browser.newPage({ viewport: { width: 1_000, height: 760 } })
    page.setDefaultTimeout(WAIT_MS)
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    await page.goto(url)
    await page.waitForSelector('#file:enabled')
  }
  const put = async (file: typeof FILE) => {
    await page.setInputFiles('#file', file)
    await page.getByText(file.name, { exact: true }).waitFor()
    await page.waitForSelector('#work', { state: 'hidden' })
  }
  const save = async (name: string) => {
    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: `Save ${name}` }).click()
    const download = await downloading
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) }
  }

  before(async () => {
    if (executable === undefined) return
    ;({ ready } = await startNetwork(await freshDir(), NETWORK))
    url = await serveExample(ready)
    browser = await launchChromium()
    await open()
  })

  browserTest('makes an account by itself and says whose it is and who serves', async () => {
    assert.match((await page.textContent('#account')) ?? '', /^You are did:memo:[0-9a-f]{10}…[0-9a-f]{10}$/)
    assert.equal(await page.textContent('#network'), 'Served by 1 keeper and 3 providers')
    assert.equal(await page.isVisible('#empty'), true)
  })

  browserTest('stores a file at three providers and gives it back the same, by its own name', async () => {
    await put(FILE)
    assert.match((await page.textContent('#files')) ?? '', /700\.0 kB · sealed/)
    assert.deepEqual(Object.values(await countPieces(ready)), [1, 1, 1])
    const saved = await save(FILE.name)
    assert.ok(saved.bytes.equals(FILE.buffer))
    assert.match(saved.name, /^grüße & .*\.txt$/)
  })

  browserTest('stores a public file, which another visitor of the network finds by its CID', async () => {
    await page.check('#public')
    await put(PHOTO)
    assert.match((await page.textContent('#files li:first-child')) ?? '', /1\.4 MB · public/)
    const cid = await page.getAttribute('#files li:first-child code', 'title')
    const answer = await fetch(`${ready.gateway}/mefs/${cid}`)
    assert.equal(answer.status, 200)
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(PHOTO.buffer))
  })

  browserTest('reads well in the light and in the dark', async (t) => {
    const contrasts: number[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      contrasts.push(...(await page.evaluate(contrastsOfText)))
      const shots = process.env.MEMO_SCREENSHOTS
      if (shots) await page.screenshot({ path: join(shots, `example-${colorScheme}.png`) })
    }
    t.diagnostic(`least contrast of text: ${Math.min(...contrasts).toFixed(1)}`)
    assert.ok(contrasts.length > 20)
    assert.ok(Math.min(...contrasts) >= 4.5, 'as WCAG asks of text (AA)')
  })

  browserTest('is the same account after a visit elsewhere, with the same files', async () => {
    const account = await page.getAttribute('#account', 'title')
    await page.reload()
    await page.getByText(PHOTO.name, { exact: true }).waitFor()
    assert.equal(await page.getAttribute('#account', 'title'), account)
    assert.ok((await save(PHOTO.name)).bytes.equals(PHOTO.buffer))
  })

  browserTest('deletes a file, and its pieces with it', async () => {
    await page.getByRole('button', { name: `Delete ${FILE.name}` }).click()
    await page.getByText(FILE.name, { exact: true }).waitFor({ state: 'detached' })
    await eventually('one piece is left everywhere', WAIT_MS, async () => {
      return Object.values(await countPieces(ready)).join() === '1,1,1'
    })
    assert.deepEqual(complaints, [])
  })

  browserTest('says what is wrong and what to do when no provider can be reached', async () => {
    await page.route(/uploads/, (route) => route.abort())
    await page.setInputFiles('#file', { ...PHOTO, name: 'never.jpg', buffer: Buffer.from('never') })
    await page.waitForSelector('#notice:not([hidden])')
    assert.match((await page.textContent('#notice')) ?? '', /providers? .*\. (Try|Put)/s)
    assert.equal(await page.isHidden('#work'), true)
    assert.equal(await page.getByText('never.jpg', { exact: true }).count(), 0)
  })
})

/** Runs in the page: contrast of every text with what lies behind it (WCAG 2.2, 1.4.3). */
function contrastsOfText(): number[] {
  type Element = {
    parentElement: Element | null
    textContent: string
    childNodes: Iterable<{ nodeType: number; textContent: string }>
  }
  type Style = { color: string; backgroundColor: string; visibility: string }
  const { document, getComputedStyle } = globalThis as unknown as {
    document: {
      body: Element & { querySelectorAll(selector: string): Iterable<Element & { checkVisibility(): boolean }> }
    }
    getComputedStyle: (element: Element) => Style
  }
  const partsOf = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = (color: string) => {
    const [r = 0, g = 0, b = 0] = partsOf(color).map((part) => {
      const value = part / 255
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element: Element | null): string => {
    if (!element) return 'rgb(255, 255, 255)'
    const { backgroundColor } = getComputedStyle(element)
    return partsOf(backgroundColor)[3] === 0 ? behind(element.parentElement) : backgroundColor
  }
  const hasText = (element: Element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')
  return [...document.body.querySelectorAll('*')]
    .filter((element) => hasText(element) && element.checkVisibility())
    .map((element) => {
      const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))]
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    })
}
