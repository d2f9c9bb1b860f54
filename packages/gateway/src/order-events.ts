import type { OrderEvent } from '@memo/sdk'
import type { GatewayEvent } from './events.ts'

/** What the order book tells, for the operator to read. */
export function gatewayEventOf(event: OrderEvent): GatewayEvent {
  const { type, ...details } = event
  return { ...details, type, level: levelOf(event), message: messageOf(event) }
}

function levelOf({ type }: OrderEvent): GatewayEvent['level'] {
  return type === 'order-ending' || type === 'order-waits' || type === 'escrow-low' ? 'warn' : 'info'
}

function messageOf(event: OrderEvent): string {
  switch (event.type) {
    case 'order-opened':
      return `order ${event.orderId} of ${event.sizeBytes} bytes was opened with ${event.provider}`
    case 'order-grown':
      return `order ${event.orderId} with ${event.provider} has ${event.sizeBytes} bytes now`
    case 'order-renewed':
      return `order ${event.orderId} with ${event.provider} runs to epoch ${event.endEpoch} now`
    case 'order-ending':
      return `order ${event.orderId} with ${event.provider} ends in ${event.secondsLeft} s and could not be renewed yet`
    case 'order-waits':
      return `a change of an order with ${event.provider} waits: ${event.message}`
    case 'escrow-low':
      return `the escrow has ${event.freeAtto} attomemo free where ${event.neededAtto} are needed: memo escrow deposit`
    case 'reads-allowed':
      return `${event.sizeBytes} more bytes may be read under order ${event.orderId} from ${event.provider}`
    case 'set-committed':
      return `${event.provider} signed for ${event.usedBytes} bytes under order ${event.orderId}`
  }
}
