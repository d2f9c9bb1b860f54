// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {FileListing} from "../types/FileTypes.sol";

/// @title What texts of a file may be (spec/file-did.md 1 and 2)
library FileText {
    uint256 internal constant MAX_MFILE_BYTES = 128;
    uint256 internal constant MAX_NAME_BYTES = 255;
    uint256 internal constant MAX_KEYWORDS = 32;
    uint256 internal constant MAX_KEYWORD_BYTES = 64;

    error InvalidMfile(string mfile);
    error InvalidEncode(string encode);
    error InvalidFtype(uint8 ftype);
    error NameTooLong(uint256 lengthBytes, uint256 limit);
    error TooManyKeywords(uint256 count, uint256 limit);
    error InvalidKeyword(uint256 place, uint256 lengthBytes);

    function checkListing(FileListing memory listing) internal pure {
        checkMfile(listing.mfile);
        checkEncode(listing.encode);
        checkFtype(listing.ftype);
        checkKeywords(listing.keywords);
        uint256 length = bytes(listing.name).length;
        if (length > MAX_NAME_BYTES) revert NameTooLong(length, MAX_NAME_BYTES);
    }

    /// @notice A bare hash: letters and digits, as every form of CID and MD5 has.
    function checkMfile(string memory mfile) internal pure {
        bytes memory text = bytes(mfile);
        if (text.length == 0 || text.length > MAX_MFILE_BYTES) revert InvalidMfile(mfile);
        for (uint256 i = 0; i < text.length; ++i) {
            bytes1 c = text[i];
            bool isWord = (c >= "0" && c <= "9") || (c >= "a" && c <= "z") || (c >= "A" && c <= "Z");
            if (!isWord) revert InvalidMfile(mfile);
        }
    }

    function checkEncode(string memory encode) internal pure {
        bytes32 hash = keccak256(bytes(encode));
        if (hash != keccak256("mid") && hash != keccak256("cid") && hash != keccak256("md5")) {
            revert InvalidEncode(encode);
        }
    }

    /// @notice 0 private, 1 public.
    function checkFtype(uint8 ftype) internal pure {
        if (ftype > 1) revert InvalidFtype(ftype);
    }

    function checkKeywords(string[] memory keywords) internal pure {
        if (keywords.length > MAX_KEYWORDS) revert TooManyKeywords(keywords.length, MAX_KEYWORDS);
        for (uint256 i = 0; i < keywords.length; ++i) {
            uint256 length = bytes(keywords[i]).length;
            if (length == 0 || length > MAX_KEYWORD_BYTES) revert InvalidKeyword(i, length);
        }
    }
}
