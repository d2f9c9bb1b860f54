// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AccountDid} from "./AccountDid.sol";
import {DidMessages} from "./libraries/DidMessages.sol";
import {DidRecord} from "./libraries/DidRecord.sol";
import {DidSignatures} from "./libraries/DidSignatures.sol";
import {DidText} from "./libraries/DidText.sol";
import {DidTypedData} from "./libraries/DidTypedData.sol";
import {MethodKeys} from "./libraries/MethodKeys.sol";
import {PublicKey, Verification} from "./types/DidTypes.sol";

/// @title Where users change their Memo DID
/// @notice Anyone may relay; what counts is the signature of the master key (spec/did.md 5 and 6).
/// Each operation takes the original's message or its EIP-712 form in the same argument.
contract DidProxy is EIP712 {
    /// @notice Keeps the DIDs; writes for this contract alone.
    AccountDid public immutable ACCOUNT_DID;

    /// @notice The registry, under the original's name.
    // solhint-disable-next-line immutable-vars-naming
    address public immutable inst;

    mapping(bytes32 key => uint64 nonce) private _nonces;

    error WrongSignature(string did, uint64 nonce);
    error ForeignControllerNeedsTypedData(string controller);
    error DeactivationIsFinal();

    /// @param accountDid the storage contract that this one owns
    /// @param registry the registry of all contracts
    constructor(AccountDid accountDid, address registry) EIP712("MEMO", "1") {
        ACCOUNT_DID = accountDid;
        inst = registry;
    }

    /// @notice Creates a DID; the key itself signs, with nonce 0.
    function createDID(string memory did, string memory methodType, bytes memory pubKeyData, bytes memory signature)
        external
    {
        uint256[2] memory point = MethodKeys.pointOf(methodType, pubKeyData);
        address master = MethodKeys.signerOf(methodType, pubKeyData, point);
        bytes memory message = DidMessages.createDid(did, methodType, pubKeyData);
        bytes32 typed = DidTypedData.createDid(did, methodType, pubKeyData);
        if (!_isSigned(master, message, typed, signature)) revert WrongSignature(did, 0);
        _nonces[DidText.keyOf(did)] = 1;
        ACCOUNT_DID.createDID(did, methodType, pubKeyData, point);
    }

    /// @notice Adds a verification method. The original's message does not name the DID, so there the controller
    /// must be the DID itself; another controller needs the typed form.
    function addVeri(string memory did, PublicKey memory method, bytes memory signature) external {
        uint64 nonce = getNonce(did);
        bytes32 typed =
            DidTypedData.addVerification(did, method.methodType, method.controller, method.pubKeyData, nonce);
        address master = _master(did);
        if (!DidSignatures.isValid(master, _hashTypedDataV4(typed), signature)) {
            bytes memory message =
                DidMessages.addVerification(method.methodType, method.controller, method.pubKeyData, nonce);
            if (!DidSignatures.isValid(master, MessageHashUtils.toEthSignedMessageHash(message), signature)) {
                revert WrongSignature(did, nonce);
            }
            if (DidText.keyOf(method.controller) != DidText.keyOf(did)) {
                revert ForeignControllerNeedsTypedData(method.controller);
            }
        }
        _nonces[DidText.keyOf(did)] = nonce + 1;
        uint256[2] memory point = MethodKeys.pointOf(method.methodType, method.pubKeyData);
        ACCOUNT_DID.addVeri(did, Verification(method.methodType, method.controller, method.pubKeyData, false, point));
    }

    /// @notice Replaces a method's key; the master key of the method's controller signs.
    function updateVeri(
        string memory did,
        uint256 index,
        string memory methodType,
        bytes memory pubKeyData,
        bytes memory signature
    ) external {
        uint64 nonce = getNonce(did);
        if (index > type(uint64).max) revert DidRecord.OutOfIndex(index, getVeriLen(did));
        string memory controller = ACCOUNT_DID.getVeri(did, index).controller;
        if (ACCOUNT_DID.isDeactivated(controller)) revert DidRecord.DidDeactivated(controller);
        _use(
            did,
            ACCOUNT_DID.getMasterKeyAddr(controller),
            DidMessages.updateVerification(did, index, methodType, pubKeyData, nonce),
            DidTypedData.updateVerification(did, index, methodType, pubKeyData, nonce),
            signature
        );
        ACCOUNT_DID.updateVeri(did, index, methodType, pubKeyData);
    }

    /// @notice Deactivates a method for good.
    function deactivateVeri(string memory did, uint256 index, bool deactivated, bytes memory signature) external {
        if (!deactivated) revert DeactivationIsFinal();
        uint64 nonce = getNonce(did);
        _use(
            did,
            _master(did),
            DidMessages.deactivateVerification(did, index, nonce),
            DidTypedData.deactivateVerification(did, index, nonce),
            signature
        );
        ACCOUNT_DID.deactivateVeri(did, index, true);
    }

    function addAuth(string memory did, string memory id, bytes memory signature) external {
        _useRelation("addAuthentication", "AddAuthentication", did, id, signature);
        ACCOUNT_DID.addAuth(did, id);
    }

    function removeAuth(string memory did, string memory id, bytes memory signature) external {
        _useRelation("removeAuthentication", "RemoveAuthentication", did, id, signature);
        ACCOUNT_DID.removeAuth(did, id);
    }

    function addAssertion(string memory did, string memory id, bytes memory signature) external {
        _useRelation("addAssertion", "AddAssertion", did, id, signature);
        ACCOUNT_DID.addAssertion(did, id);
    }

    function removeAssertion(string memory did, string memory id, bytes memory signature) external {
        _useRelation("removeAssertion", "RemoveAssertion", did, id, signature);
        ACCOUNT_DID.removeAssertion(did, id);
    }

    function addDelegation(string memory did, string memory id, uint256 expiration, bytes memory signature) external {
        uint64 nonce = getNonce(did);
        _use(
            did,
            _master(did),
            DidMessages.addDelegation(did, id, expiration, nonce),
            DidTypedData.addDelegation(did, id, expiration, nonce),
            signature
        );
        ACCOUNT_DID.addDelegation(did, id, expiration);
    }

    function removeDelegation(string memory did, string memory id, bytes memory signature) external {
        _useRelation("removeDelegation", "RemoveDelegation", did, id, signature);
        ACCOUNT_DID.removeDelegation(did, id);
    }

    function addRecovery(string memory did, string memory id, bytes memory signature) external {
        _useRelation("addRecovery", "AddRecovery", did, id, signature);
        ACCOUNT_DID.addRecovery(did, id);
    }

    function removeRecovery(string memory did, string memory id, bytes memory signature) external {
        _useRelation("removeRecovery", "RemoveRecovery", did, id, signature);
        ACCOUNT_DID.removeRecovery(did, id);
    }

    /// @notice Deactivates a DID for good.
    function deactivateDID(string memory did, bool deactivated, bytes memory signature) external {
        if (!deactivated) revert DeactivationIsFinal();
        uint64 nonce = getNonce(did);
        _use(
            did, _master(did), DidMessages.deactivateDid(did, nonce), DidTypedData.deactivateDid(did, nonce), signature
        );
        ACCOUNT_DID.deactivateDID(did, true);
    }

    function getVeri(string memory did, uint256 index) external view returns (PublicKey memory) {
        return _withoutPoint(ACCOUNT_DID.getVeri(did, index));
    }

    function getMasterVerification(string memory did) external view returns (PublicKey memory) {
        return _withoutPoint(ACCOUNT_DID.getMasterVerification(did));
    }

    function getMasterKeyAddr(string memory did) external view returns (address) {
        return ACCOUNT_DID.getMasterKeyAddr(did);
    }

    function inAuth(string memory did, string memory id) external view returns (bool) {
        return ACCOUNT_DID.inAuth(did, id);
    }

    function inAssertion(string memory did, string memory id) external view returns (bool) {
        return ACCOUNT_DID.inAssertion(did, id);
    }

    function inDelegation(string memory did, string memory id) external view returns (uint256) {
        return ACCOUNT_DID.inDelegation(did, id);
    }

    function inRecovery(string memory did, string memory id) external view returns (bool) {
        return ACCOUNT_DID.inRecovery(did, id);
    }

    function isDeactivated(string memory did) external view returns (bool) {
        return ACCOUNT_DID.isDeactivated(did);
    }

    function getVeriLen(string memory did) public view returns (uint256) {
        return ACCOUNT_DID.getVeriLen(did);
    }

    /// @notice The number that the next operation of a DID signs; 0 before it exists, 1 after its creation.
    function getNonce(string memory did) public view returns (uint64) {
        return _nonces[DidText.keyOf(did)];
    }

    /// @dev A living DID's master; names the reason where it is unknown or deactivated.
    function _master(string memory did) private view returns (address master) {
        bool deactivated;
        (master, deactivated) = ACCOUNT_DID.data(did);
        if (master == address(0)) revert DidRecord.DidUnknown(did);
        if (deactivated) revert DidRecord.DidDeactivated(did);
    }

    function _useRelation(
        string memory operation,
        string memory structName,
        string memory did,
        string memory id,
        bytes memory signature
    ) private {
        uint64 nonce = getNonce(did);
        _use(
            did,
            _master(did),
            DidMessages.relation(operation, did, id, nonce),
            DidTypedData.relation(structName, did, id, nonce),
            signature
        );
    }

    /// @dev Checks a signature over either form and uses up the nonce.
    function _use(string memory did, address signer, bytes memory message, bytes32 typed, bytes memory signature)
        private
    {
        bytes32 key = DidText.keyOf(did);
        uint64 nonce = _nonces[key];
        if (!_isSigned(signer, message, typed, signature)) revert WrongSignature(did, nonce);
        _nonces[key] = nonce + 1;
    }

    function _isSigned(address signer, bytes memory message, bytes32 typed, bytes memory signature)
        private
        view
        returns (bool)
    {
        return DidSignatures.isValid(signer, _hashTypedDataV4(typed), signature)
            || DidSignatures.isValid(signer, MessageHashUtils.toEthSignedMessageHash(message), signature);
    }

    function _withoutPoint(Verification memory method) private pure returns (PublicKey memory) {
        return PublicKey(method.methodType, method.controller, method.pubKeyData, method.deactivated);
    }
}
