// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What is registered of a file. `keyRoot` commits to sealed shares of its key; zero where there are none.
/// The order of its fields is that of the message.
// solhint-disable-next-line gas-struct-packing
struct FileListing {
    string mfile;
    string encode;
    uint8 ftype;
    string controller;
    uint256 price;
    string[] keywords;
    string name;
    uint64 sizeBytes;
    bytes32 keyRoot;
}

/// @notice A read right that was paid for and whose money waits for the key to be released.
struct Sale {
    address payer;
    uint64 boughtAt;
    uint256 amount;
    uint64 boughtBlock;
}
