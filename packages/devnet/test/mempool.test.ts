import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { concat, type Hex, keccak256, toHex, toRlp } from 'viem'
import { minOf } from '../src/bigint.ts'
import { MAX_POOL_TXS, MAX_SENDER_TXS, Mempool } from '../src/mempool.ts'
import { Candidates } from '../src/ordering.ts'
import { effectiveTip, type PoolTx } from '../src/pool-tx.ts'
import { alice, bob, type Clients, send, signTransfer, startDevnet, WEI } from './helpers.ts'

const RICH = { nonce: 0, balance: 10n ** 30n }

let arrivals = 0

/** A pool entry without a signature: what the pool looks at, and nothing else. */
function entry(sender: string, nonce: number, tipCap = 1n, feeCap = 100n): PoolTx {
  arrivals += 1
  const hash = keccak256(toHex(`${sender}/${nonce}/${arrivals}`))
  const tx = undefined as never
  return {
    tx,
    hash,
    sender: sender as Hex,
    nonce,
    gasLimit: 21_000n,
    feeCap,
    tipCap,
    cost: 21_000n * feeCap,
    arrival: arrivals,
  }
}

/** What a block would take from the pool, in order; `fits` decides what the block has room for. */
function drain(
  pool: Mempool,
  nonces: ReadonlyMap<Hex, number>,
  baseFee: bigint,
  fits: (tx: PoolTx) => boolean = () => true,
): PoolTx[] {
  const queues = new Map(pool.senders().map((sender) => [sender, pool.executable(sender, nonces.get(sender) ?? 0)]))
  const candidates = new Candidates(queues, baseFee)
  const taken: PoolTx[] = []
  for (let next = candidates.peek(); next !== undefined; next = candidates.peek()) {
    if (!fits(next)) {
      candidates.pass()
      continue
    }
    taken.push(next)
    candidates.take()
  }
  return taken
}

describe('the order of a block', () => {
  const txs = fc.array(
    fc.record({
      sender: fc.constantFrom('0xa', '0xb', '0xc', '0xd', '0xe'),
      nonce: fc.integer({ min: 0, max: 8 }),
      tip: fc.bigInt({ min: 0n, max: 20n }),
      cap: fc.bigInt({ min: 0n, max: 40n }),
    }),
    { maxLength: 60 },
  )
  const start = fc.record({ '0xa': fc.integer({ min: 0, max: 3 }), '0xb': fc.integer({ min: 0, max: 3 }) })

  test('is by nonce within a sender, without gaps, and by tip and arrival between senders', () => {
    fc.assert(
      fc.property(txs, start, fc.bigInt({ min: 0n, max: 20n }), (added, starts, baseFee) => {
        const pool = new Mempool()
        const nonces = new Map(Object.entries(starts)) as Map<Hex, number>
        for (const { sender, nonce, tip, cap } of added) {
          const account = { nonce: nonces.get(sender as Hex) ?? 0, balance: 10n ** 18n }
          tolerate(() => pool.add(entry(sender, nonce, minOf(tip, cap), cap), account))
        }
        const taken = drain(pool, nonces, baseFee)
        const next = new Map(nonces)
        for (const [index, tx] of taken.entries()) {
          assert.equal(tx.nonce, next.get(tx.sender) ?? 0, 'nonces follow each other')
          assert.ok(tx.feeCap >= baseFee, 'everybody can pay the base fee')
          // Whoever else could have been next tips less, or tips the same and came later.
          for (const sender of pool.senders()) {
            const rival = pool.executable(sender, next.get(sender) ?? 0)[0]
            if (rival === undefined || rival.hash === tx.hash || rival.feeCap < baseFee) continue
            const [mine, theirs] = [effectiveTip(tx, baseFee), effectiveTip(rival, baseFee)]
            assert.ok(mine > theirs || (mine === theirs && tx.arrival < rival.arrival), `at ${index}`)
          }
          next.set(tx.sender, tx.nonce + 1)
        }
        for (const sender of pool.senders()) {
          const left = pool.executable(sender, next.get(sender) ?? 0)[0]
          assert.ok(left === undefined || left.feeCap < baseFee, 'nothing minable is left over')
        }
      }),
      { numRuns: 300 },
    )
  })

  test('leaves out the followers of what did not fit, and nothing else', () => {
    fc.assert(
      fc.property(txs, fc.integer({ min: 0, max: 8 }), (added, unfit) => {
        const pool = new Mempool()
        for (const { sender, nonce, tip } of added) tolerate(() => pool.add(entry(sender, nonce, tip), RICH))
        const taken = drain(pool, new Map(), 0n, (tx) => tx.nonce !== unfit)
        assert.ok(taken.every(({ nonce }) => nonce < unfit))
        const all = drain(pool, new Map(), 0n)
        assert.equal(taken.length, all.filter(({ nonce }) => nonce < unfit).length)
      }),
      { numRuns: 100 },
    )
  })

  function tolerate(add: () => void): void {
    try {
      add()
    } catch (error) {
      assert.match((error as Error).message, /nonce too low|underpriced|insufficient funds/)
    }
  }
})

describe('the pool', () => {
  test('keeps its books: what is added and removed leaves nothing behind', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('0xa', '0xb'), fc.nat(5)), { maxLength: 30 }), (pairs) => {
        const pool = new Mempool()
        const added = pairs.map(([sender, nonce], index) =>
          entry(sender, nonce, 10n ** BigInt(index), 10n ** BigInt(index)),
        )
        const balance = 10n ** 40n
        for (const tx of added) pool.add(tx, { nonce: 0, balance })
        assert.equal(pool.size, new Set(pairs.map(String)).size)
        for (const tx of added) pool.remove(tx.hash)
        assert.equal(pool.size, 0)
        assert.deepEqual(pool.senders(), [])
      }),
      { numRuns: 100 },
    )
  })

  test('is bounded, per sender and in all, and prefers what can be mined', () => {
    const pool = new Mempool()
    const senders = ['0xa', '0xb']
    for (const sender of senders)
      for (let nonce = 0; nonce < MAX_SENDER_TXS - 1; nonce += 1) pool.add(entry(sender, nonce), RICH)
    pool.add(entry('0xa', MAX_SENDER_TXS - 1), RICH)
    assert.throws(() => pool.add(entry('0xa', MAX_SENDER_TXS), RICH), /account limit exceeded/)
    const gapped = entry('0xc', 7)
    pool.add(entry('0xc', 0), RICH)
    assert.equal(pool.size, MAX_POOL_TXS)
    assert.throws(() => pool.add(gapped, RICH), /txpool is full/)
    assert.throws(() => pool.add(entry('0xd', 0), RICH), /txpool is full/)
    pool.removeBelow('0xb', 1)
    pool.add(gapped, RICH)
    pool.add(entry('0xd', 0), RICH)
    assert.equal(pool.find(gapped.hash), undefined, 'what waits behind a gap makes room')
    assert.equal(pool.size, MAX_POOL_TXS)
  })
})

describe('a transaction', () => {
  const manual = { mining: { mode: 'interval', ms: 3_600_000 } } as const

  async function refused({ devnet }: Clients, raw: Hex, says: RegExp): Promise<void> {
    await assert.rejects(send(devnet, raw), (error: { code: number; message: string }) => {
      assert.equal(error.code, -32000)
      assert.match(error.message, says)
      return true
    })
  }

  test('waits behind a gap until the gap is filled', async (t) => {
    const clients = await startDevnet(t)
    const { devnet, reader } = clients
    const late = await send(devnet, await signTransfer(alice, 2))
    await send(devnet, await signTransfer(alice, 0))
    while ((await reader.getBlockNumber()) < 1n) await new Promise((resolve) => setTimeout(resolve, 2))
    assert.equal((await reader.getTransaction({ hash: late })).blockNumber, null)
    assert.equal(await reader.getTransactionCount({ address: alice.address, blockTag: 'pending' }), 1)
    await send(devnet, await signTransfer(alice, 1))
    assert.equal((await reader.waitForTransactionReceipt({ hash: late })).status, 'success')
  })

  test('counts as pending before it is mined, and only then', async (t) => {
    const { devnet, reader } = await startDevnet(t, manual)
    await send(devnet, await signTransfer(alice, 0))
    await send(devnet, await signTransfer(alice, 1))
    const count = (blockTag: 'pending' | 'latest') => reader.getTransactionCount({ address: alice.address, blockTag })
    assert.deepEqual([await count('latest'), await count('pending')], [0, 2])
    const pending = await reader.getBlock({ blockTag: 'pending', includeTransactions: true })
    assert.deepEqual(
      pending.transactions.map(({ nonce }) => nonce),
      [0, 1],
    )
    assert.equal(pending.hash, null)
    await devnet.mine()
    assert.deepEqual([await count('latest'), await count('pending')], [2, 2])
  })

  test('is replaced by one that pays a tenth more, and by nothing less', async (t) => {
    const clients = await startDevnet(t, manual)
    const { devnet, reader } = clients
    const first = await send(devnet, await signTransfer(alice, 0, { tip: 100n, cap: 10n ** 10n }))
    await refused(
      clients,
      await signTransfer(alice, 0, { tip: 100n, cap: 2n * 10n ** 10n }),
      /^replacement transaction underpriced$/,
    )
    await refused(clients, await signTransfer(alice, 0, { tip: 109n, cap: 2n * 10n ** 10n }), /underpriced/)
    await refused(clients, await signTransfer(alice, 0, { tip: 200n, cap: 10n ** 10n }), /underpriced/)
    const second = await send(devnet, await signTransfer(alice, 0, { tip: 110n, cap: 11n * 10n ** 9n }))
    await devnet.mine()
    assert.equal((await reader.getTransactionReceipt({ hash: second })).status, 'success')
    await assert.rejects(reader.getTransaction({ hash: first }), /could not be found/)
  })

  test('is refused in the words of geth', async (t) => {
    const clients = await startDevnet(t, manual)
    const { devnet } = clients
    const raw = await signTransfer(alice, 0)
    await send(devnet, raw)
    await refused(clients, raw, /^already known$/)
    await devnet.mine()
    await refused(clients, raw, /^nonce too low: next nonce 1, tx nonce 0$/)
    const base = {
      type: 'eip1559',
      chainId: 985,
      nonce: 1,
      to: bob.address,
      gas: 21_000n,
      maxFeePerGas: 10n ** 10n,
      maxPriorityFeePerGas: 1n,
    } as const
    const signed = (fields: object) => alice.signTransaction({ ...base, ...fields } as typeof base)
    await refused(
      clients,
      await signed({ value: 101n * WEI }),
      /^insufficient funds for gas \* price \+ value: balance \d+, tx cost \d+, overshot \d+$/,
    )
    await refused(clients, await signed({ gas: 20_999n }), /^intrinsic gas too low/)
    await refused(
      clients,
      await signed({ data: `0x${'ff'.repeat(1000)}`, gas: 40_000n }),
      /^insufficient gas for floor data gas cost/,
    )
    await refused(clients, await signed({ gas: 30_000_001n }), /^exceeds block gas limit$/)
    await refused(clients, await signed({ chainId: 1 }), /invalid chain id for signer/)
    await refused(
      clients,
      await signed({ to: undefined, data: `0x${'00'.repeat(50_000)}`, gas: 10_000_000n }),
      /^max initcode size exceeded$/,
    )
    await refused(clients, await signTipOverCap(), /^max priority fee per gas higher than max fee per gas$/)
    const unprotected = await alice.signTransaction({
      type: 'legacy',
      nonce: 1,
      to: bob.address,
      gas: 21_000n,
      gasPrice: 10n ** 10n,
    })
    await refused(clients, unprotected, /only replay-protected/)
  })

  test('that its sender cannot pay for beside the others waiting is refused', async (t) => {
    const clients = await startDevnet(t, manual)
    const value = 60n * WEI
    const sign = (nonce: number) =>
      alice.signTransaction({
        type: 'legacy',
        chainId: 985,
        nonce,
        to: bob.address,
        value,
        gas: 21_000n,
        gasPrice: 10n ** 10n,
      })
    await send(clients.devnet, await sign(0))
    await refused(clients, await sign(1), /^insufficient funds for gas \* price \+ value: balance \d+, queued cost \d+/)
  })

  test('that bids under the base fee waits until blocks get cheaper', async (t) => {
    const { devnet, reader } = await startDevnet(t)
    const hash = await send(devnet, await signTransfer(alice, 0, { tip: 1n, cap: 7n * 10n ** 8n }))
    await devnet.mine(1)
    await assert.rejects(reader.getTransactionReceipt({ hash }), /could not be found/)
    await devnet.mine(3)
    assert.equal((await reader.waitForTransactionReceipt({ hash })).status, 'success')
  })

  test('of every accepted type is mined', async (t) => {
    const { devnet, reader } = await startDevnet(t)
    const base = { chainId: 985, to: bob.address, value: 1n, gas: 100_000n } as const
    const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n } as const
    const accessList = [{ address: bob.address, storageKeys: [keccak256('0x')] }]
    const authorization = await bob.signAuthorization({ chainId: 985, nonce: 0, contractAddress: alice.address })
    const raws = [
      await alice.signTransaction({ ...base, type: 'legacy', nonce: 0, gasPrice: 10n ** 10n }),
      await alice.signTransaction({ ...base, type: 'eip2930', nonce: 1, gasPrice: 10n ** 10n, accessList }),
      await alice.signTransaction({ ...base, type: 'eip1559', nonce: 2, ...fees, accessList }),
      await alice.signTransaction({ ...base, type: 'eip7702', nonce: 3, ...fees, authorizationList: [authorization] }),
    ]
    for (const [type, raw] of raws.entries()) {
      const hash = await send(devnet, raw)
      assert.equal((await reader.waitForTransactionReceipt({ hash })).status, 'success')
      const found = await reader.getTransaction({ hash })
      assert.equal(Number(found.typeHex), [0, 1, 2, 4][type])
    }
    assert.equal(await reader.getCode({ address: bob.address }), `0xef0100${alice.address.slice(2).toLowerCase()}`)
    // An account that points to code may still send.
    const hash = await send(devnet, await signTransfer(bob, 1))
    assert.equal((await reader.waitForTransactionReceipt({ hash })).status, 'success')
  })
})

/** A transaction that no library signs: its tip is over its fee cap. */
async function signTipOverCap(): Promise<Hex> {
  const fields: (Hex | [])[] = [
    toHex(985),
    toHex(1),
    toHex(10n ** 10n),
    toHex(10n ** 9n),
    toHex(21_000),
    bob.address,
    '0x',
    '0x',
    [],
  ]
  const signature = await alice.sign({ hash: keccak256(concat(['0x02', toRlp(fields)])) })
  const [r, s, v] = [signature.slice(2, 66), signature.slice(66, 130), signature.slice(130)]
  const parity: Hex = v === '1b' ? '0x' : '0x01'
  return concat(['0x02', toRlp([...fields, parity, `0x${r}`, `0x${s}`])])
}
