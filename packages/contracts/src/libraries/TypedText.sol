// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @title Texts in EIP-712 structs, and structs whose name is a parameter
library TypedText {
    function hash(string memory text) internal pure returns (bytes32) {
        return keccak256(bytes(text));
    }

    function hashAll(string[] memory texts) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](texts.length);
        for (uint256 i = 0; i < texts.length; ++i) {
            hashes[i] = hash(texts[i]);
        }
        return keccak256(abi.encodePacked(hashes));
    }

    /// @notice The type hash of one of several structs with the same fields.
    function typeHash(string memory structName, string memory fields) internal pure returns (bytes32) {
        return keccak256(bytes.concat(bytes(structName), bytes(fields)));
    }
}
