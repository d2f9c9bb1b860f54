// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @title The identifier part of a Memo DID: 64 hexadecimal characters
library DidText {
    uint256 internal constant ID_LENGTH = 64;

    /// @notice "did:memo:" + 64 + "#" + a fragment of at most 55 bytes.
    uint256 internal constant MAX_URL_BYTES = 129;

    /// @dev A byte of one in each place of a word: times it, a value stands in every byte.
    uint256 private constant EACH = type(uint256).max / 0xff;
    uint256 private constant HIGH_BITS = EACH * 0x80;

    error InvalidDid(string did);
    error InvalidUrl(uint256 lengthBytes, uint256 limit);

    /// @notice The id in lower case, so that two spellings of one id are never two DIDs.
    function canonical(string memory did) internal pure returns (string memory) {
        if (bytes(did).length != ID_LENGTH) revert InvalidDid(did);
        (uint256 left, uint256 right) = abi.decode(bytes(did), (uint256, uint256));
        (bool leftIsHex, uint256 leftLower) = _lower(left);
        (bool rightIsHex, uint256 rightLower) = _lower(right);
        if (!leftIsHex || !rightIsHex) revert InvalidDid(did);
        return string(abi.encodePacked(leftLower, rightLower));
    }

    function keyOf(string memory did) internal pure returns (bytes32) {
        return keccak256(bytes(canonical(did)));
    }

    function checkUrl(string memory url) internal pure {
        uint256 length = bytes(url).length;
        if (length == 0 || length > MAX_URL_BYTES) revert InvalidUrl(length, MAX_URL_BYTES);
    }

    /// @dev Looks at 32 characters at once: each mask has the high bit of the bytes of which it is true.
    function _lower(uint256 word) private pure returns (bool isHex, uint256 lower) {
        if (word & HIGH_BITS != 0) return (false, 0);
        uint256 upperCase = _atLeast(word, "A") & ~_atLeast(word, "G");
        uint256 lowerCase = _atLeast(word, "a") & ~_atLeast(word, "g");
        uint256 digit = _atLeast(word, "0") & ~_atLeast(word, ":");
        isHex = upperCase | lowerCase | digit == HIGH_BITS;
        lower = word | (upperCase >> 2);
    }

    /// @dev With the high bit set in every byte no byte borrows from the next.
    function _atLeast(uint256 word, bytes1 least) private pure returns (uint256) {
        return ((word | HIGH_BITS) - EACH * uint8(least)) & HIGH_BITS;
    }
}
