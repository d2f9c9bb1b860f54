// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {FileListing} from "../types/FileTypes.sol";
import {TypedText} from "./TypedText.sol";

/// @title The operations on files as EIP-712 structs; each names the controller whose nonce it uses
library FileTypedData {
    bytes32 private constant REGISTER = keccak256(
        "RegisterFile(string mfile,string encode,uint8 ftype,string controller,uint256 price,string[] keywords,string name,uint64 sizeBytes,bytes32 keyRoot,uint64 nonce)"
    );
    bytes32 private constant CONTROLLER =
        keccak256("ChangeFileController(string mfile,string controller,string newController,uint64 nonce)");
    bytes32 private constant FTYPE =
        keccak256("ChangeFileType(string mfile,string controller,uint8 ftype,uint64 nonce)");
    bytes32 private constant PRICE =
        keccak256("ChangeFilePrice(string mfile,string controller,uint256 price,uint64 nonce)");
    bytes32 private constant KEYWORDS =
        keccak256("ChangeFileKeywords(string mfile,string controller,string[] keywords,uint64 nonce)");
    bytes32 private constant DEACTIVATE = keccak256("DeactivateFile(string mfile,string controller,uint64 nonce)");

    /// @notice The fields of granting and revoking; the struct's name says which.
    string private constant READ_FIELDS = "(string mfile,string controller,string reader,uint64 nonce)";

    function register(FileListing memory file, uint64 nonce) internal pure returns (bytes32) {
        bytes memory texts = abi.encode(
            REGISTER,
            TypedText.hash(file.mfile),
            TypedText.hash(file.encode),
            file.ftype,
            TypedText.hash(file.controller),
            file.price,
            TypedText.hashAll(file.keywords)
        );
        return
            keccak256(bytes.concat(texts, abi.encode(TypedText.hash(file.name), file.sizeBytes, file.keyRoot, nonce)));
    }

    function changeController(string memory mfile, string memory controller, string memory newController, uint64 nonce)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                CONTROLLER, TypedText.hash(mfile), TypedText.hash(controller), TypedText.hash(newController), nonce
            )
        );
    }

    function changeFtype(string memory mfile, string memory controller, uint8 ftype, uint64 nonce)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(FTYPE, TypedText.hash(mfile), TypedText.hash(controller), ftype, nonce));
    }

    function changePrice(string memory mfile, string memory controller, uint256 price, uint64 nonce)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(PRICE, TypedText.hash(mfile), TypedText.hash(controller), price, nonce));
    }

    function changeKeywords(string memory mfile, string memory controller, string[] memory keywords, uint64 nonce)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(KEYWORDS, TypedText.hash(mfile), TypedText.hash(controller), TypedText.hashAll(keywords), nonce)
        );
    }

    /// @param structName "GrantFileRead" or "RevokeFileRead"
    function read(
        string memory structName,
        string memory mfile,
        string memory controller,
        string memory reader,
        uint64 nonce
    ) internal pure returns (bytes32) {
        bytes32 typeHash = TypedText.typeHash(structName, READ_FIELDS);
        return keccak256(
            abi.encode(typeHash, TypedText.hash(mfile), TypedText.hash(controller), TypedText.hash(reader), nonce)
        );
    }

    function deactivate(string memory mfile, string memory controller, uint64 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(DEACTIVATE, TypedText.hash(mfile), TypedText.hash(controller), nonce));
    }
}
