/** What the SDK needs of a real chain to pay: kept apart, so that what never pays needs no chain client. */
export { createOrderMoney } from './order-money.ts'
