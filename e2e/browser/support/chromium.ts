import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { type Browser, chromium } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'microsoft-edge']
const USUAL_PLACES = [
  '/usr/bin',
  '/usr/local/bin',
  '/snap/bin',
  '/opt/google/chrome',
  '/opt/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS',
  '/Applications/Chromium.app/Contents/MacOS',
]
const MAC_NAMES = ['Google Chrome', 'Chromium']
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]
const LAUNCH_TIMEOUT_MS = 60_000

const browsers: Browser[] = []

after(async () => await Promise.all(browsers.map((browser) => browser.close())))

const NOT_FOUND = 'no Chromium was found on the path or in its usual places; MEMO_CHROMIUM can name one'

/** The Chromium of this machine, if it has one. */
export const executable: string | undefined = findChromium()

/** A test that needs a browser; where there is none it is skipped and says why. */
export function browserTest(name: string, run: (t: TestContext) => Promise<void>): void {
  void test(name, { skip: executable === undefined ? NOT_FOUND : false }, run)
}

/** MEMO_CHROMIUM, or the first on the path or in a usual place; none where MEMO_CHROMIUM is `none`. */
function findChromium(): string | undefined {
  const given = process.env.MEMO_CHROMIUM
  if (given === 'none') return undefined
  if (given !== undefined && given !== '') return given
  const places = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...USUAL_PLACES]
  return places.flatMap((place) => [...NAMES, ...MAC_NAMES].map((name) => join(place, name))).find(isProgram)
}

/** A browser without a window, with a profile of its own that goes with it; it ends with the test file. */
export async function launchChromium(): Promise<Browser> {
  const browser = await chromium.launch({
    ...(executable === undefined ? {} : { executablePath: executable }),
    headless: true,
    args: ARGUMENTS,
    timeout: LAUNCH_TIMEOUT_MS,
  })
  browsers.push(browser)
  return browser
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // it is not there, or not for us to run
  }
}
