/**
 * The HTTP middleware of MEMO: DIDs log in (`auth/`), store, list, read and delete objects (`routes/`). `createGateway`
 * is the API over ports; `runGatewayDaemon` puts it on sockets, a disk and a chain. The rules are `spec/login.md` and
 * `spec/gateway.md`.
 */
export { type GatewayDaemonOptions, runGatewayDaemon } from './daemon.ts'
export { ApiError, type ApiStatus, LoginRefusedError } from './errors.ts'
export type { GatewayEvent, GatewayEventSink } from './events.ts'
export { createGateway, type Gateway, type GatewayOptions, type GatewayQuotaOptions } from './gateway.ts'
export { listenAt } from './listen.ts'
