import type { StandingWatch } from '@memo/chain'
import { type Handler, jsonResponse } from '@memo/core'

/** Answers `GET /readyz` beside what a node answers: whether the chain lets it serve, and what to do where not. */
export function withReadiness(handler: Handler, standing: StandingWatch): Handler {
  return async (request) => {
    if (request.method !== 'GET' || request.url !== '/readyz') return await handler(request)
    const fault = standing.findFault()
    if (fault === undefined) return jsonResponse(200, { status: 'ok' })
    return jsonResponse(503, { status: 'unavailable', missing: [fault] })
  }
}
