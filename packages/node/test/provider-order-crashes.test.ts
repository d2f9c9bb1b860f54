import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type CommitRequest,
  createSetTree,
  findCommitmentHead,
  hex32,
  ordersVerifierOf,
  RemoteError,
  setCommitmentDigest,
  setCommitmentOf,
} from '@memo/core'
import { TEST_MONEY } from '@memo/core/testing'
import { scriptOrder } from './support/orders.ts'
import { createWorld, digestOf, inChunks } from './support/world.ts'

const SEEDS = 6
const STEPS = 60
const SYNC_MS = 4
const ORDER = 5n
const ORDER_BYTES = 300_000
const MINUTE_MS = 60_000

describe('crashes at any moment, under an order', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    test(`lose no receipt and no commitment, and bend no account (seed ${seed})`, async () => {
      const world = createWorld(`order-crash-${seed}`)
      const limits = { orderSweepRestMs: MINUTE_MS, unpaidBytesPerAccount: 0 }
      const provider = world.provider('a', { limits, syncMs: SYNC_MS })
      await world.time.run(provider.start())
      const user = world.user('alice')
      const client = provider.client(user)
      const sizeBytes = BigInt(ORDER_BYTES)
      scriptOrder(world, ORDER, { user: user.address, provider: provider.signer.address, sizeBytes })
      const pieces = Array.from({ length: 6 }, () => world.random.bytes(1 + world.random.int(45_000)))
      const held = pieces.map((): 'held' | 'gone' | 'unknown' | 'busy' => 'gone')
      let epoch = 10
      let signedSeq = 0n
      let isCommitting = false
      const running = new Set<Promise<void>>()
      const start = (work: () => Promise<void>) => {
        const task = work().finally(() => running.delete(task))
        running.add(task)
      }
      const attempt = (i: number, success: 'held' | 'gone', work: () => Promise<unknown>) =>
        start(async () => {
          const before = held[i]!
          if (before === 'busy') return
          held[i] = 'busy'
          try {
            await work()
            held[i] = success
          } catch {
            held[i] = before === success ? before : 'unknown' // a crash cut it short, or there was no room
          }
        })
      /** Signs what the provider says that it holds, as a user who has lost his records does. */
      const commit = async () => {
        if (isCommitting) return
        isCommitting = true
        try {
          const listed = await client.listOrderPieces(ORDER)
          const tree = createSetTree(listed.filter(({ committed }) => committed))
          const head = await client.getCommitment(ORDER)
          const change = {
            added: listed.filter(({ committed }) => !committed),
            removed: listed.filter(({ committed }, i) => committed && i % 2 === 0).map(({ root }) => root),
          }
          const { current } = await world.chain.getEpochs()
          const terms = { orderId: ORDER, seq: (head?.commitment.seq ?? 0n) + 1n, fromEpoch: current + 1n }
          const commitment = setCommitmentOf(tree.apply(change), terms)
          const signature = await user.signDigest(setCommitmentDigest(ordersVerifierOf(TEST_MONEY), commitment))
          const request: CommitRequest = { commitment, signature, ...change }
          const { commitment: signed } = await client.commitSet(request)
          assert.ok(signed.seq > signedSeq, 'no number is signed twice')
          signedSeq = signed.seq
        } catch (thrown) {
          const isStale = thrown instanceof RemoteError && findCommitmentHead(thrown.details) !== undefined
          const isCut = thrown instanceof Error && /Unreachable|NodeFault|NotServing|Deadline/.test(thrown.name)
          assert.ok(isStale || isCut, String(thrown))
        } finally {
          isCommitting = false
        }
      }
      for (let step = 0; step < STEPS; step++) {
        const i = world.random.int(pieces.length)
        const piece = pieces[i]!
        const dice = world.random.int(12)
        if (dice < 5) {
          attempt(i, 'held', async () => {
            const id = world.random.bytes(32)
            const sent = await client.upload(id, inChunks(piece, 20_000), { maxBytes: piece.length, orderId: 5 })
            await client.commit(id, sent)
          })
        } else if (dice < 7) attempt(i, 'gone', () => client.delete(digestOf(piece).root))
        else if (dice < 8) start(commit)
        else if (dice < 9) world.chain.setEpochs({ current: BigInt(++epoch), closedBefore: BigInt(epoch - 2) })
        else if (dice < 11) await world.time.advance(world.random.int(3 * SYNC_MS))
        else {
          provider.crash()
          await world.time.run(provider.start())
        }
      }
      await world.time.run(Promise.all(running))
      provider.crash()
      await world.time.run(provider.start())

      const listed = await world.time.run(client.listOrderPieces(ORDER))
      const newest = await world.time.run(client.getCommitment(ORDER))
      const committed = createSetTree(listed.filter((one) => one.committed))
      assert.ok((newest?.commitment.seq ?? 0n) >= signedSeq, 'what was answered stands')
      if (newest) assert.deepEqual(committed.setRoot, newest.commitment.setRoot)
      else assert.equal(committed.count, 0)
      for (const [i, piece] of pieces.entries()) {
        const { root, sizeBytes: size } = digestOf(piece)
        if (held[i] !== 'held') continue
        assert.ok(
          listed.some((one) => hex32(one.root) === hex32(root)),
          `piece ${i} is listed`,
        )
        assert.equal(await world.time.run(client.findSize(root)), size, `piece ${i} is held`)
      }

      for (const piece of pieces) await world.time.run(client.delete(digestOf(piece).root)).catch(() => false)
      const whole = { maxBytes: ORDER_BYTES, orderId: 5 }
      const uploadAll = () => client.upload(world.random.bytes(32), new Uint8Array(1), whole)
      await world.time.run(uploadAll())
      await assert.rejects(world.time.run(uploadAll()), { name: 'OrderRefusedError' }, 'to the byte')
      await world.time.run(commit())
      await world.time.run(commit())
      for (let i = 0; i < 4; i++) await world.time.run(commit())
      world.chain.setEpochs({ current: 1_000n, closedBefore: 998n })
      await world.time.advance(3 * MINUTE_MS)
      world.chain.setEpochs({ current: 2_000n, closedBefore: 1_998n })
      await world.time.advance(3 * MINUTE_MS)
      assert.deepEqual(provider.disk.pieceRoots(), [], 'all that was given up goes')
      assert.equal((await world.time.run(client.info())).pieces, 0)
    })
  }
})
