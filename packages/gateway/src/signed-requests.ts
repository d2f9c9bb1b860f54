import {
  type Address,
  type Clock,
  createRequestVerifier,
  type IndexStore,
  isForgettable,
  type Network,
  type UsedNonce,
  usedNonceOf,
  utf8,
  type WireRequest,
} from '@memo/core'

/** Checks requests that accounts sign, as between nodes (`spec/wire.md` 3); none is good twice, over restarts too. */
export type SignedRequests = {
  /** The account that signed. Errors: UnauthorizedError. */
  verify(request: WireRequest, body: Uint8Array): Promise<Address>
}

const PREFIX = 'used-nonce/'
const EXPIRY_DIGITS = 12
const PAGE = 200

export async function openSignedRequests(
  store: IndexStore,
  options: { readonly network: Network; readonly audience: Address; readonly clock: Clock },
): Promise<SignedRequests> {
  const verifier = createRequestVerifier(options)
  const listForgettable = async () => {
    const page = await store.list({ prefix: PREFIX, limit: PAGE })
    return page.filter(({ key }) => isForgettable(nonceFrom(key), options.clock)).map(({ key }) => ({ key }))
  }
  for (let after = PREFIX; ; ) {
    const page = await store.list({ prefix: PREFIX, after, limit: PAGE })
    for (const { key } of page) verifier.remember(nonceFrom(key))
    if (page.length < PAGE) break
    after = page.at(-1)?.key ?? after
  }
  return {
    async verify(request, body) {
      const account = verifier.verify(request, body)
      const { nonce, expiry } = usedNonceOf(request)
      const key = `${PREFIX}${String(expiry).padStart(EXPIRY_DIGITS, '0')}/${nonce}`
      await store.apply([...(await listForgettable()), { key, value: utf8('1') }])
      return account
    },
  }
}

function nonceFrom(key: string): UsedNonce {
  const [expiry = '', nonce = ''] = key.slice(PREFIX.length).split('/')
  return { nonce: nonce as UsedNonce['nonce'], expiry: Number(expiry) }
}
