// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice A verification method as the storage contract keeps it (spec/did.md 4).
struct Verification {
    string methodType;
    string controller;
    bytes pubKeyData;
    bool deactivated;
    uint256[2] pubKeyPoint;
}

/// @notice The same method as the proxy takes and shows it: without the point, which it derives.
struct PublicKey {
    string methodType;
    string controller;
    bytes pubKeyData;
    bool deactivated;
}
