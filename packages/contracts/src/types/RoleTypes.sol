// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What an account does in the network. Chosen once, for good (spec/roles.md 1).
enum Role {
    None,
    User,
    Provider,
    Keeper
}

/// @notice Where an account stands (spec/roles.md 4).
enum AccountState {
    None,
    Registered,
    Active,
    Suspended,
    Exiting,
    Exited,
    Banned
}

/// @notice What a provider offers, and at which price.
struct Offer {
    uint64 capacityBytes;
    uint128 storagePriceAttoPerGiBSecond;
    uint128 retrievalPriceAttoPerByte;
}

/// @notice How an account is reached and who runs it.
struct Contact {
    string endpoint;
    string operatorLabel;
    string region;
}

/// @notice One registered account. `index` starts at 1; `exitAt` and `exitBlock` say when it last
/// began to leave, 0 where it never did.
struct Account {
    address owner;
    uint32 index;
    uint32 group;
    Role role;
    AccountState state;
    uint64 registeredAt;
    uint64 exitAt;
    uint64 exitBlock;
    Offer offer;
    Contact contact;
}

/// @notice A group as its members see it. `keepers` are the active ones.
struct Group {
    uint32 id;
    uint32 level;
    bool serving;
    address[] keepers;
}

/// @notice How long a lock lasts. Both must pass, so that a stopped chain shortens nothing.
struct Lock {
    uint64 waitSeconds;
    uint64 waitBlocks;
}

/// @notice What must be pledged. Keepers pledge a fixed sum, users none.
struct PledgeTerms {
    uint128 providerBaseAtto;
    uint128 providerRateAttoPerGiB;
    uint128 keeperAtto;
    Lock withdrawal;
}
