import type { OrderEvent } from '@memo/sdk'
import type { GatewayEvent } from './events.ts'

/** What the order book tells, for the operator to read. */
export function gatewayEventOf(event: OrderEvent): GatewayEvent {
  const { type, ...details } = event
  return { ...details, type, level: levelOf(event), message: messageOf(event) }
}

const WARNINGS: readonly OrderEvent['type'][] = [
  'order-ending',
  'order-lapsed',
  'order-forgotten',
  'order-waits',
  'escrow-low',
]

function levelOf({ type }: OrderEvent): GatewayEvent['level'] {
  return WARNINGS.includes(type) ? 'warn' : 'info'
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
    case 'order-lapsed':
      return `order ${event.orderId} with ${event.provider} is over: what it held is kept for days, and paid for again once the escrow does`
    case 'order-followed':
      return `${event.usedBytes} bytes of order ${event.orderId} came under order ${event.nextOrderId}, ${event.lostBytes} are lost`
    case 'order-forgotten':
      return `the chain has forgotten order ${event.orderId} with ${event.provider}: what it held comes under another one`
    case 'pieces-covered':
      return `${event.usedBytes} bytes of forgotten orders came under order ${event.orderId}, ${event.lostBytes} are lost`
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
