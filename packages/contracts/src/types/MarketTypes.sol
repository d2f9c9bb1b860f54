// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What an account has of space or traffic, in the original's order and names. `expire` is seconds since 1970.
struct PayInfo {
    uint256 nonce;
    uint256 balance;
    uint64 sizeByte;
    uint64 freeByte;
    uint64 expire;
}

/// @notice What a payer signs so that somebody else submits his purchase.
struct Purchase {
    address payer;
    address buyer;
    uint64 sizeByte;
    uint256 maxAtto;
    uint256 nonce;
    uint64 deadline;
}

enum Quota {
    Space,
    Traffic
}

/// @notice What governance sets, with an announced delay. Prices are attomemo per byte.
struct MarketTerms {
    uint64 spacePrice;
    uint64 trafficPrice;
    address seller;
}
