// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What user and provider sign. `start` and `end` are epochs, `submitBy` seconds since 1970.
/// The order of its fields is that of the message.
// solhint-disable-next-line gas-struct-packing
struct OrderTerms {
    address user;
    address provider;
    uint64 nonce;
    uint64 sizeBytes;
    uint256 priceAttoPerGiBSecond;
    uint64 start;
    uint64 end;
    uint64 submitBy;
}

/// @notice What both sign to change an order from the next epoch on. `seq` counts the changes before
/// it, the opening included.
struct AmendmentTerms {
    uint64 orderId;
    uint64 seq;
    uint64 sizeBytes;
    uint256 priceAttoPerGiBSecond;
    uint64 end;
    uint64 submitBy;
}

/// @notice One order. Epochs before `settledTo` are paid out; `locked` is for those from it to `end`.
struct Order {
    address user;
    uint64 start;
    uint32 group;
    address provider;
    uint64 end;
    uint32 seq;
    uint128 locked;
    uint64 settledTo;
    uint64 liableBytes;
    uint32 firstSegment;
    uint32 segmentCount;
}

/// @notice What an order costs from one epoch until the next segment or the end.
struct Segment {
    uint64 from;
    uint64 sizeBytes;
    uint128 totalAtto;
    uint128 incomeAtto;
    uint128 priceAttoPerGiBSecond;
}

/// @notice Who gets what of a stretch of epochs. The four are exactly what was locked for it.
struct Split {
    uint256 income;
    uint256 refund;
    uint256 keepers;
    uint256 foundation;
}

/// @notice The lengths that a network fixes. An epoch is counted in blocks; its seconds are what prices reckon with.
struct OrderLengths {
    uint64 epochBlocks;
    uint64 epochSeconds;
    uint64 disputeBlocks;
    uint64 disputeSeconds;
}
