// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {TypedText} from "./TypedText.sol";

/// @title The operations of a DID as EIP-712 structs, bound to chain and contract by their domain
library DidTypedData {
    bytes32 private constant CREATE = keccak256("CreateDID(string did,string methodType,bytes publicKey,uint64 nonce)");
    bytes32 private constant ADD_VERIFICATION =
        keccak256("AddVerification(string did,string methodType,string controller,bytes publicKey,uint64 nonce)");
    bytes32 private constant UPDATE_VERIFICATION =
        keccak256("UpdateVerification(string did,uint256 index,string methodType,bytes publicKey,uint64 nonce)");
    bytes32 private constant DEACTIVATE_VERIFICATION =
        keccak256("DeactivateVerification(string did,uint256 index,uint64 nonce)");
    bytes32 private constant ADD_DELEGATION =
        keccak256("AddDelegation(string did,string id,uint256 expiration,uint64 nonce)");
    bytes32 private constant DEACTIVATE = keccak256("DeactivateDID(string did,uint64 nonce)");

    /// @notice The fields of every relation but a delegation; the struct's name says which relation.
    string private constant RELATION_FIELDS = "(string did,string id,uint64 nonce)";

    function createDid(string memory did, string memory methodType, bytes memory key) internal pure returns (bytes32) {
        return keccak256(abi.encode(CREATE, TypedText.hash(did), TypedText.hash(methodType), keccak256(key), uint64(0)));
    }

    function addVerification(
        string memory did,
        string memory methodType,
        string memory controller,
        bytes memory key,
        uint64 nonce
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                ADD_VERIFICATION,
                TypedText.hash(did),
                TypedText.hash(methodType),
                TypedText.hash(controller),
                keccak256(key),
                nonce
            )
        );
    }

    function updateVerification(
        string memory did,
        uint256 index,
        string memory methodType,
        bytes memory key,
        uint64 nonce
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                UPDATE_VERIFICATION, TypedText.hash(did), index, TypedText.hash(methodType), keccak256(key), nonce
            )
        );
    }

    function deactivateVerification(string memory did, uint256 index, uint64 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(DEACTIVATE_VERIFICATION, TypedText.hash(did), index, nonce));
    }

    /// @param structName such as "AddAuthentication"
    function relation(string memory structName, string memory did, string memory url, uint64 nonce)
        internal
        pure
        returns (bytes32)
    {
        bytes32 typeHash = TypedText.typeHash(structName, RELATION_FIELDS);
        return keccak256(abi.encode(typeHash, TypedText.hash(did), TypedText.hash(url), nonce));
    }

    function addDelegation(string memory did, string memory url, uint256 expiration, uint64 nonce)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(ADD_DELEGATION, TypedText.hash(did), TypedText.hash(url), expiration, nonce));
    }

    function deactivateDid(string memory did, uint64 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(DEACTIVATE, TypedText.hash(did), nonce));
    }
}
