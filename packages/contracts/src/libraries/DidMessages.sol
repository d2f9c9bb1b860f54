// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @title The original's operation messages: raw bytes that a master key signs with personal_sign
/// @notice They name neither chain nor contract; the typed form in DidTypedData does (spec/did.md 6).
library DidMessages {
    function createDid(string memory did, string memory methodType, bytes memory key)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked("createDID", did, methodType, key, uint64(0));
    }

    function addVerification(string memory methodType, string memory controller, bytes memory key, uint64 nonce)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked("addVerification", methodType, controller, key, nonce);
    }

    function updateVerification(
        string memory did,
        uint256 index,
        string memory methodType,
        bytes memory key,
        uint64 nonce
    ) internal pure returns (bytes memory) {
        return abi.encodePacked("updateVerificationMethod", did, uint64(index), methodType, key, nonce);
    }

    function deactivateVerification(string memory did, uint256 index, uint64 nonce)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked("deactivateVerification", did, index, uint8(1), nonce);
    }

    /// @notice Adding to and removing from authentication, assertion and recovery, and removing a delegation.
    function relation(string memory operation, string memory did, string memory url, uint64 nonce)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(operation, did, url, nonce);
    }

    function addDelegation(string memory did, string memory url, uint256 expiration, uint64 nonce)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked("addDelegation", did, url, expiration, nonce);
    }

    function deactivateDid(string memory did, uint64 nonce) internal pure returns (bytes memory) {
        return abi.encodePacked("deactivateDID", did, uint8(1), nonce);
    }
}
