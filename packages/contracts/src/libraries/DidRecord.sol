// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Verification} from "../types/DidTypes.sol";
import {MethodKeys} from "./MethodKeys.sol";

/// @title One DID: its verification methods and what they are good for
library DidRecord {
    /// @notice Resolvers read every method, so their number is bounded.
    uint256 internal constant MAX_METHODS = 64;

    struct Did {
        address master;
        bool deactivated;
        Verification[] methods;
        mapping(bytes32 url => bool) auth;
        mapping(bytes32 url => bool) assertion;
        mapping(bytes32 url => bool) recovery;
        mapping(bytes32 url => uint256 expiration) delegation;
    }

    error DidExists(string did);
    error DidUnknown(string did);
    error DidDeactivated(string did);
    error OutOfIndex(uint256 index, uint256 length);
    error VerificationDeactivated(uint256 index);
    error TooManyMethods(uint256 limit);

    /// @notice Refuses what is not there or no longer alive.
    function requireActive(Did storage self, string memory did) internal view {
        if (self.master == address(0)) revert DidUnknown(did);
        if (self.deactivated) revert DidDeactivated(did);
    }

    /// @notice Adds a method and returns its index; index 0 is the master key.
    function push(Did storage self, Verification memory method) internal returns (uint256 index) {
        index = self.methods.length;
        if (index == MAX_METHODS) revert TooManyMethods(MAX_METHODS);
        self.methods.push(method);
    }

    /// @notice A method that may change: not the master key, and not one that is gone.
    function changeable(Did storage self, uint256 index) internal view returns (Verification storage method) {
        if (index == 0 || index >= self.methods.length) revert OutOfIndex(index, self.methods.length);
        return self.methods[index];
    }

    function update(Did storage self, uint256 index, string memory methodType, bytes memory key) internal {
        Verification storage method = changeable(self, index);
        if (method.deactivated) revert VerificationDeactivated(index);
        method.methodType = methodType;
        method.pubKeyData = key;
        method.pubKeyPoint = MethodKeys.pointOf(methodType, key);
    }
}
