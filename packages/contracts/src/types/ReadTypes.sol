// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What one payer has locked for reads under one order. Vouchers name `seq`, so those of a closed one are void.
struct ReadAllowance {
    uint128 priceAttoPerByte;
    uint64 bytesAllowed;
    uint64 bytesPaid;
    uint64 seq;
    uint64 closingAt;
    uint64 closingBlock;
}
