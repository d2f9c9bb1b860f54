// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @title The identifier part of a Memo DID: 64 hexadecimal characters
library DidText {
    uint256 internal constant ID_LENGTH = 64;

    /// @notice "did:memo:" + 64 + "#" + a fragment of at most 55 bytes.
    uint256 internal constant MAX_URL_BYTES = 129;

    error InvalidDid(string did);
    error InvalidUrl(uint256 lengthBytes, uint256 limit);

    /// @notice The id in lower case, so that two spellings of one id are never two DIDs.
    function canonical(string memory did) internal pure returns (string memory) {
        bytes memory given = bytes(did);
        if (given.length != ID_LENGTH) revert InvalidDid(did);
        bytes memory lower = new bytes(ID_LENGTH);
        for (uint256 i = 0; i < ID_LENGTH; ++i) {
            bytes1 character = given[i];
            if (character >= "A" && character <= "F") character = bytes1(uint8(character) + 32);
            bool isHex = (character >= "0" && character <= "9") || (character >= "a" && character <= "f");
            if (!isHex) revert InvalidDid(did);
            lower[i] = character;
        }
        return string(lower);
    }

    function keyOf(string memory did) internal pure returns (bytes32) {
        return keccak256(bytes(canonical(did)));
    }

    function checkUrl(string memory url) internal pure {
        uint256 length = bytes(url).length;
        if (length == 0 || length > MAX_URL_BYTES) revert InvalidUrl(length, MAX_URL_BYTES);
    }
}
