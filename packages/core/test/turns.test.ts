import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTurns } from '@memo/core'

/** Works that begin at their turn and end when they are told to. */
function createWorks() {
  const begun: string[] = []
  const work = (name: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const run = async () => {
      begun.push(name)
      return await promise
    }
    return { run, end: () => resolve(name), fail: () => reject(new RangeError(name)) }
  }
  return { begun, work }
}
const settled = async () => await new Promise((resolve) => setImmediate(resolve))

test('works of one key begin one after the other, and give what they gave', async () => {
  const [inTurn, { begun, work }] = [createTurns(), createWorks()]
  const [first, second, third] = [work('first'), work('second'), work('third')]
  const ends = [first, second, third].map(({ run }) => inTurn('key', run))
  third.end()
  await settled()
  assert.deepEqual(begun, ['first'])
  first.end()
  await settled()
  assert.deepEqual(begun, ['first', 'second'])
  second.end()
  assert.deepEqual(await Promise.all(ends), ['first', 'second', 'third'])
})

test('works of other keys do not wait', async () => {
  const [inTurn, { begun, work }] = [createTurns(), createWorks()]
  const [one, other] = [work('one'), work('other')]
  const ends = [inTurn('a', one.run), inTurn('b', other.run)]
  await settled()
  assert.deepEqual(begun, ['one', 'other'])
  for (const { end } of [one, other]) end()
  await Promise.all(ends)
})

test('a work that fails, fails alone: the next has its turn', async () => {
  const [inTurn, { work }] = [createTurns(), createWorks()]
  const [bad, good] = [work('bad'), work('good')]
  const [failing, following] = [inTurn('key', bad.run), inTurn('key', good.run)]
  bad.fail()
  good.end()
  await assert.rejects(failing, RangeError)
  assert.equal(await following, 'good')
  await assert.rejects(
    inTurn('key', () => {
      throw new TypeError('at once')
    }),
    TypeError,
  )
  assert.equal(await inTurn('key', async () => 'later'), 'later')
})
