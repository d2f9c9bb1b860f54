// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {DidRecord} from "./libraries/DidRecord.sol";
import {DidText} from "./libraries/DidText.sol";
import {MethodKeys} from "./libraries/MethodKeys.sol";
import {Verification} from "./types/DidTypes.sol";

/// @title The storage of Memo DIDs
/// @notice Only its owner contract writes; it has checked the signature (spec/did.md 3). Anyone reads.
/// Function and event signatures are those of the original contract.
contract AccountDid {
    using DidRecord for DidRecord.Did;

    /// @notice The contract that writes: the proxy.
    address public immutable OWNER;

    mapping(bytes32 key => DidRecord.Did did) private _dids;

    event CreateDID(string did);
    event DeactivateDID(string did);
    event AddVeri(string indexed did, uint256 id);
    event UpdateVeri(string indexed did, uint256 id);
    event DeactivateVeri(string indexed did, uint256 id);
    event AddAuth(string indexed did, string id);
    event RemoveAuth(string indexed did, string id);
    event AddAssertion(string indexed did, string id);
    event RemoveAssertion(string indexed did, string id);
    event AddDelegation(string indexed did, string id, uint256 expiration);
    event RemoveDelegation(string indexed did, string id);
    event AddRecovery(string indexed did, string recovery);
    event RemoveRecovery(string indexed did, string recovery);

    error NotOwner(address caller);

    modifier onlyOwner() {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        _;
    }

    constructor(address owner) {
        OWNER = owner;
    }

    function createDID(
        string memory did,
        string memory methodType,
        bytes memory pubKeyData,
        uint256[2] memory pubKeyPoint
    ) external onlyOwner {
        string memory id = DidText.canonical(did);
        DidRecord.Did storage record = _dids[keccak256(bytes(id))];
        if (record.master != address(0)) revert DidRecord.DidExists(id);
        MethodKeys.checkPoint(methodType, pubKeyData, pubKeyPoint);
        record.master = MethodKeys.signerOf(methodType, pubKeyData, pubKeyPoint);
        record.push(Verification(methodType, id, pubKeyData, false, pubKeyPoint));
        emit CreateDID(id);
    }

    function addVeri(string memory did, Verification memory method) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        MethodKeys.checkPoint(method.methodType, method.pubKeyData, method.pubKeyPoint);
        method.controller = DidText.canonical(method.controller);
        method.deactivated = false;
        emit AddVeri(id, record.push(method));
    }

    function updateVeri(string memory did, uint256 index, string memory methodType, bytes memory pubKeyData)
        external
        onlyOwner
    {
        (DidRecord.Did storage record, string memory id) = _active(did);
        record.update(index, methodType, pubKeyData);
        emit UpdateVeri(id, index);
    }

    function deactivateVeri(string memory did, uint256 index, bool deactivated) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        record.changeable(index).deactivated = deactivated;
        emit DeactivateVeri(id, index);
    }

    function addAuth(string memory did, string memory url) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        record.auth[_urlKey(url)] = true;
        emit AddAuth(id, url);
    }

    function removeAuth(string memory did, string memory url) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        delete record.auth[_urlKey(url)];
        emit RemoveAuth(id, url);
    }

    function addAssertion(string memory did, string memory url) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        record.assertion[_urlKey(url)] = true;
        emit AddAssertion(id, url);
    }

    function removeAssertion(string memory did, string memory url) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        delete record.assertion[_urlKey(url)];
        emit RemoveAssertion(id, url);
    }

    function addDelegation(string memory did, string memory url, uint256 expiration) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        record.delegation[_urlKey(url)] = expiration;
        emit AddDelegation(id, url, expiration);
    }

    function removeDelegation(string memory did, string memory url) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        delete record.delegation[_urlKey(url)];
        emit RemoveDelegation(id, url);
    }

    function addRecovery(string memory did, string memory url) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        record.recovery[_urlKey(url)] = true;
        emit AddRecovery(id, url);
    }

    function removeRecovery(string memory did, string memory url) external onlyOwner {
        (DidRecord.Did storage record, string memory id) = _active(did);
        delete record.recovery[_urlKey(url)];
        emit RemoveRecovery(id, url);
    }

    /// @notice Deactivates or, where the owner contract allows it, revives a DID.
    function deactivateDID(string memory did, bool deactivated) external onlyOwner {
        string memory id = DidText.canonical(did);
        DidRecord.Did storage record = _dids[keccak256(bytes(id))];
        if (record.master == address(0)) revert DidRecord.DidUnknown(id);
        record.deactivated = deactivated;
        emit DeactivateDID(id);
    }

    /// @notice The original's raw view: master address and whether deactivated.
    function data(string memory did) external view returns (address, bool) {
        DidRecord.Did storage record = _at(did);
        return (record.master, record.deactivated);
    }

    function getVeri(string memory did, uint256 index) external view returns (Verification memory) {
        Verification[] storage methods = _at(did).methods;
        if (index >= methods.length) revert DidRecord.OutOfIndex(index, methods.length);
        return methods[index];
    }

    function getVeriLen(string memory did) external view returns (uint256) {
        return _at(did).methods.length;
    }

    function getMasterVerification(string memory did) external view returns (Verification memory) {
        Verification[] storage methods = _at(did).methods;
        if (methods.length == 0) revert DidRecord.DidUnknown(did);
        return methods[0];
    }

    /// @notice The address behind the master key, derived from the key; zero for an unknown DID.
    function getMasterKeyAddr(string memory did) external view returns (address) {
        return _at(did).master;
    }

    function inAuth(string memory did, string memory url) external view returns (bool) {
        return _at(did).auth[keccak256(bytes(url))];
    }

    function inAssertion(string memory did, string memory url) external view returns (bool) {
        return _at(did).assertion[keccak256(bytes(url))];
    }

    /// @notice The expiration in seconds since 1970; 0 where there is no delegation.
    function inDelegation(string memory did, string memory url) external view returns (uint256) {
        return _at(did).delegation[keccak256(bytes(url))];
    }

    function inRecovery(string memory did, string memory url) external view returns (bool) {
        return _at(did).recovery[keccak256(bytes(url))];
    }

    function isDeactivated(string memory did) external view returns (bool) {
        return _at(did).deactivated;
    }

    function _at(string memory did) private view returns (DidRecord.Did storage) {
        return _dids[DidText.keyOf(did)];
    }

    function _active(string memory did) private view returns (DidRecord.Did storage record, string memory id) {
        id = DidText.canonical(did);
        record = _dids[keccak256(bytes(id))];
        record.requireActive(id);
    }

    function _urlKey(string memory url) private pure returns (bytes32) {
        DidText.checkUrl(url);
        return keccak256(bytes(url));
    }
}
