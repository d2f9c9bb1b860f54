// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {FileListing} from "../types/FileTypes.sol";

/// @title The original's messages about files: raw bytes that the controller's master key signs with personal_sign
/// @notice They name neither chain nor contract, and run keywords together; the typed form does neither.
library FileMessages {
    function register(FileListing memory file, uint64 nonce) internal pure returns (bytes memory) {
        return abi.encodePacked(
            "registerMfileDid",
            file.mfile,
            file.encode,
            file.ftype,
            file.controller,
            file.price,
            nonce,
            join(file.keywords)
        );
    }

    function changeController(string memory mfile, string memory controller, uint64 nonce)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked("changeController", mfile, controller, nonce);
    }

    function changeFtype(string memory mfile, uint8 ftype, uint64 nonce) internal pure returns (bytes memory) {
        return abi.encodePacked("changeFileType", mfile, uint64(ftype), nonce);
    }

    function changePrice(string memory mfile, uint256 price, uint64 nonce) internal pure returns (bytes memory) {
        return abi.encodePacked("changePrice", mfile, price, nonce);
    }

    function changeKeywords(string memory mfile, string[] memory keywords, uint64 nonce)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked("changeKeywords", mfile, join(keywords), nonce);
    }

    /// @param operation "grantRead" or "deactivateRead"
    function read(string memory operation, string memory mfile, string memory reader, uint64 nonce)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(operation, mfile, reader, nonce);
    }

    function deactivate(string memory mfile, uint64 nonce) internal pure returns (bytes memory) {
        return abi.encodePacked("deactivateMfileDID", mfile, nonce);
    }

    function join(string[] memory keywords) internal pure returns (bytes memory joined) {
        for (uint256 i = 0; i < keywords.length; ++i) {
            joined = bytes.concat(joined, bytes(keywords[i]));
        }
    }
}
