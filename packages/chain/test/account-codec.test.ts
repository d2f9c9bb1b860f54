import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountFromRaw, type RawAccount } from '../src/read/account-codec.ts'

const raw: RawAccount = {
  owner: '0xABcdEFABcdEFabcdEfAbCdefabcdeFABcDEFabCD',
  index: 7,
  group: 1,
  role: 2,
  state: 3,
  offer: { capacityBytes: 5n, storagePriceAttoPerGiBSecond: 6n, retrievalPriceAttoPerByte: 7n },
  contact: { endpoint: 'https://a.example///', operatorLabel: 'o', region: 'r' },
}

test('an account reads as core names it', () => {
  assert.deepEqual(accountFromRaw(raw), {
    address: raw.owner.toLowerCase(),
    index: 7,
    role: 'provider',
    state: 'suspended',
    group: 1,
    endpoint: 'https://a.example',
    operator: 'o',
    region: 'r',
    capacityBytes: 5,
    storagePriceAttoPerGiBSecond: 6n,
    retrievalPriceAttoPerByte: 7n,
  })
})

test('no role is no account', () => {
  assert.equal(accountFromRaw({ ...raw, role: 0, state: 0 }), undefined)
})

test('a capacity that no number holds counts as the largest that one does', () => {
  const offer = { ...raw.offer, capacityBytes: 2n ** 64n - 1n }
  assert.equal(accountFromRaw({ ...raw, offer })?.capacityBytes, Number.MAX_SAFE_INTEGER)
})

test('of an endpoint only the URL is shown, whatever follows it', () => {
  for (const endpoint of [
    'https://a.example',
    'https://a.example/ /ip4/1.2.3.4/tcp/1',
    '  https://a.example\n/dns/b',
  ]) {
    assert.equal(accountFromRaw({ ...raw, contact: { ...raw.contact, endpoint } })?.endpoint, 'https://a.example')
  }
  assert.equal(accountFromRaw({ ...raw, contact: { ...raw.contact, endpoint: ' ' } })?.endpoint, '')
})

test('what is no base URL over HTTP is no endpoint, so that nobody is sent where its owner likes', () => {
  const endpoints = [
    'nowhere',
    'http://',
    'http://[::1',
    'http://a.example:99999',
    'ftp://a.example',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'http://a.example/admin/stop?x=',
    'http://a.example/#',
    'http://name:secret@a.example',
    'http:\\\\a.example',
    '/ip4/1.2.3.4/tcp/1',
  ]
  for (const endpoint of endpoints) {
    assert.equal(accountFromRaw({ ...raw, contact: { ...raw.contact, endpoint } })?.endpoint, '', endpoint)
  }
  const inside = { ...raw.contact, endpoint: 'http://127.0.0.1:8/node/' }
  assert.equal(accountFromRaw({ ...raw, contact: inside })?.endpoint, 'http://127.0.0.1:8/node')
})

test('a role or state that the contract does not have is our bug, not an account', () => {
  assert.throws(() => accountFromRaw({ ...raw, role: 9 }), { name: 'AssertionError' })
  assert.throws(() => accountFromRaw({ ...raw, state: 9 }), { name: 'AssertionError' })
})
