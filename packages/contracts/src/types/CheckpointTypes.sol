// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice The last checkpoint of one log of a DID; all zero where there is none.
struct Checkpoint {
    bytes32 hash;
    uint64 seq;
    uint64 block_;
}
