import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accountFromSecretKey } from '@memo/chain'
import fc from 'fast-check'
import { transactionOf } from '../src/money/sent-payments.ts'
import { exactMemo, formatDay, formatDuration, formatMemo, parseDuration, parseMemo } from '../src/money/units.ts'

describe('what is kept of a transaction', () => {
  test('its nonce and hash are those that a chain sees, whatever else stands in it', async () => {
    const account = accountFromSecretKey(new Uint8Array(32).fill(7))
    const anything = fc.record({
      nonce: fc.oneof(fc.constantFrom(0, 1, 127, 128, 255, 256, 65_536), fc.nat()),
      chainId: fc.oneof(fc.constant(985), fc.integer({ min: 1, max: 2 ** 40 })),
      length: fc.constantFrom(0, 1, 60, 300, 70_000),
      value: fc.bigInt({ min: 0n, max: 2n ** 80n }),
    })
    await fc.assert(
      fc.asyncProperty(anything, async ({ nonce, chainId, length, value }) => {
        const raw = await account.signTransaction({
          type: 'eip1559',
          nonce,
          chainId,
          value,
          to: account.address,
          data: `0x${'ab'.repeat(length)}`,
          gas: 21_000n,
          maxFeePerGas: 10n ** 9n,
          maxPriorityFeePerGas: 1n,
        })
        assert.deepEqual(transactionOf(raw).nonce, nonce)
      }),
      { numRuns: 40 },
    )
    assert.throws(() => transactionOf('0xf8'), { name: 'AssertionError' })
  })
})

describe('amounts of MEMO', () => {
  test('what is written exactly is read back to the attomemo', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 29n }), (atto) => {
        assert.equal(parseMemo(exactMemo(atto).replaceAll(',', '')), atto)
      }),
    )
  })

  test('people see six digits or so, and never zero for something', () => {
    const shown: readonly (readonly [bigint, string])[] = [
      [0n, '0 MEMO'],
      [1n, '1 attomemo'],
      [999_999_999n, '999,999,999 attomemo'],
      [10n ** 9n, '0.000000001 MEMO'],
      [268_435_456_000_000n, '0.000268435 MEMO'],
      [999_999_999_999_999_999n, '1 MEMO'],
      [1_234_567_890_123_456_789_012n, '1,234.5679 MEMO'],
      [10n ** 27n, '1,000,000,000 MEMO'],
    ]
    for (const [atto, text] of shown) assert.equal(formatMemo(atto), text)
  })

  test('nonsense is refused with an example', () => {
    for (const text of [
      '',
      ' ',
      '.5',
      '1.',
      '-1',
      '+1',
      '1e18',
      '0x10',
      '1,000',
      '1 ETH',
      'NaN',
      '1.1234567890123456789',
      '９',
    ]) {
      assert.throws(() => parseMemo(text), { name: 'UsageError', fix: /as 12\.5/ }, text)
    }
  })
})

describe('lengths of time', () => {
  test('they are read with units, and nonsense is refused with an example', () => {
    const read: Readonly<Record<string, number>> = {
      '1y': 31_536_000,
      '6mo': 15_552_000,
      '2w': 1_209_600,
      '1.5 d': 129_600,
      '12h': 43_200,
    }
    for (const [text, seconds] of Object.entries(read)) assert.equal(parseDuration(text), seconds, text)
    for (const text of ['', '1', 'y', '-1y', '0d', '1 year', '1m', '1e3d', '9999999y']) {
      assert.throws(() => parseDuration(text), { name: 'UsageError', fix: /as 1y, 6mo, 30d/ }, text)
    }
  })

  test('they are shown in the unit that fits, with what they mean from now', () => {
    assert.deepEqual([1, 119, 120, 7_200, 172_800, 94_608_000].map(formatDuration), [
      '1 second',
      '119 seconds',
      '2 minutes',
      '2 hours',
      '2 days',
      '1,095 days',
    ])
    const noon = Date.UTC(2026, 10, 20, 12) / 1_000
    assert.equal(formatDay(noon + 86_400 * 3, noon), '2026-11-23 (in 3 days)')
    assert.equal(formatDay(noon - 7_200, noon), '2026-11-20 (2 hours ago)')
  })
})
