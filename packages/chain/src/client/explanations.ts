import type { Blame, Retry } from '@memo/core'

/** What a custom error of the contracts means to the one who met it. */
export type Explanation = {
  readonly says: string
  readonly blame: Blame
  readonly retry: Retry
  readonly fix?: string
}

const caller = (says: string, fix?: string): Explanation => ({
  says,
  blame: 'user',
  retry: 'never',
  ...(fix === undefined ? {} : { fix }),
})
const bug = (says: string): Explanation => ({ says, blame: 'us', retry: 'never' })
const later = (says: string, fix: string): Explanation => ({ says, blame: 'user', retry: 'later', fix })

/** One entry per custom error of the contracts; a test holds the two sets equal. */
export const explanations: Readonly<Record<string, Explanation>> = {
  AlreadyRegistered: caller('this account has its one role already', 'Use another account for another role.'),
  NotRegistered: caller('this account never registered', 'Register it first.'),
  WrongRole: caller('the role of this account does not allow this'),
  WrongState: caller('the state of this account does not allow this'),
  EndpointMissing: caller('a provider or keeper needs an endpoint', 'Give the URL under which it is reached.'),
  EndpointTooLong: caller('the endpoint is too long'),
  LabelTooLong: caller('a label is too long'),
  PageTooLarge: bug('the page is larger than the contract gives at once'),
  UnknownGroup: caller('there is no such group'),
  GroupFull: later('the group has as many active keepers as it can hold', 'Wait until a keeper leaves.'),
  PledgeTooSmall: caller('the pledge does not cover this capacity', 'Deposit more, or offer less.'),
  PledgeNotFree: caller('that much of the pledge is not free', 'Withdraw less, or lower the capacity first.'),
  NothingAnnounced: caller('no withdrawal is announced', 'Announce it first and wait for the lock.'),
  LockNotOver: later('the lock is not over', 'Wait for the time and the block that are named.'),
  NotSlasher: caller('only the slasher may slash'),
  AmountMissing: caller('the amount is zero'),
  AmountTooLarge: caller('the amount is too large'),
  NameMissing: caller('a registry entry needs a name'),
  TooManyEntries: caller('the registry is full'),
  DidExists: caller('this DID exists already', 'Use it, or choose another id.'),
  DidUnknown: caller('there is no such DID', 'Create it first.'),
  DidDeactivated: caller('this DID is deactivated for good'),
  InvalidDid: caller('the id of a Memo DID is 64 hexadecimal characters'),
  InvalidUrl: caller('the DID URL is empty or too long'),
  InvalidPublicKey: caller('the public key does not fit its method type'),
  PointMismatch: bug('the given point is not that of the key'),
  UnknownMethodType: caller('this type of verification method is not known'),
  MasterCannotSign: caller('the chain cannot check signatures of this type, so it cannot be the master key'),
  OutOfIndex: caller('there is no such verification method, or it is the master key, which never changes'),
  VerificationDeactivated: caller('this verification method is deactivated'),
  TooManyMethods: caller('this DID has as many verification methods as it can hold'),
  WrongSignature: {
    says: 'the signature is not one of the master key over this operation and nonce',
    blame: 'user',
    retry: 'now',
    fix: 'Read the nonce again and sign again.',
  },
  ForeignControllerNeedsTypedData: caller(
    'a method with another controller needs the EIP-712 form',
    'Sign the AddVerification struct.',
  ),
  DeactivationIsFinal: caller('what is deactivated stays so'),
  NotOwner: caller('only the DID proxy writes here', 'Call the proxy.'),
  ERC20InsufficientAllowance: caller('the allowance is too small', 'Approve the amount first.'),
  ERC20InsufficientBalance: caller('the balance of MEMO is too small', 'Get more MEMO first.'),
  ERC20InvalidApprover: bug('the approver is not valid'),
  ERC20InvalidReceiver: caller('tokens cannot be sent to the zero address'),
  ERC20InvalidSender: bug('the sender is not valid'),
  ERC20InvalidSpender: caller('the zero address cannot spend'),
  ERC2612ExpiredSignature: caller('the permit has expired', 'Sign a new one.'),
  ERC2612InvalidSigner: caller('the permit is not signed by the owner'),
  InvalidAccountNonce: { says: 'the nonce of the permit is used', blame: 'user', retry: 'now' },
  SafeERC20FailedOperation: bug('the token refused a transfer'),
  InvalidShortString: bug('a name does not fit its place'),
  StringTooLong: bug('a name does not fit its place'),
  ECDSAInvalidSignature: caller('the signature is not valid'),
  ECDSAInvalidSignatureLength: caller('the signature has not 65 bytes'),
  ECDSAInvalidSignatureS: caller('the signature is the malleable twin of another'),
  SafeCastOverflowedUintDowncast: bug('a number does not fit its place'),
  AddressEmptyCode: caller('there is no contract at the target'),
  FailedCall: caller('the target refused the call'),
  InsufficientBalance: caller('the contract holds too little'),
  AccessManagedUnauthorized: caller('only governance may do this'),
  AccessManagedRequiredDelay: later('governance must wait for its delay', 'Schedule the call first.'),
  AccessManagedInvalidAuthority: bug('the authority is not valid'),
  AccessManagerAlreadyScheduled: caller('this call is scheduled already'),
  AccessManagerBadConfirmation: caller('a role is renounced only by its own account'),
  AccessManagerExpired: caller('the scheduled call has expired', 'Schedule it again.'),
  AccessManagerInvalidInitialAdmin: bug('governance needs an admin'),
  AccessManagerLockedFunction: caller('this function cannot be assigned'),
  AccessManagerLockedRole: caller('this role cannot be changed'),
  AccessManagerNotReady: later('the delay of this call is not over', 'Wait until it is.'),
  AccessManagerNotScheduled: caller('this call is not scheduled'),
  AccessManagerUnauthorizedAccount: caller('only governance may do this'),
  AccessManagerUnauthorizedCall: caller('this account may not make this call'),
  AccessManagerUnauthorizedCancel: caller('this account may not cancel this call'),
  AccessManagerUnauthorizedConsume: caller('only the target consumes a scheduled call'),
}
