// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {DidText} from "./libraries/DidText.sol";
import {FileText} from "./libraries/FileText.sol";
import {FileListing} from "./types/FileTypes.sol";

/// @title The storage of Mfile DIDs: listings and who may read
/// @notice Only its owner contract writes; it has checked signatures and taken the money (spec/file-did.md 4). Anyone
/// reads. Events and views are those of the original contract.
contract FileDid {
    uint8 public constant READ_NONE = 0;
    uint8 public constant READ_BOUGHT = 1;
    uint8 public constant READ_GRANTED = 2;

    /// @notice The contract that writes: the proxy.
    address public immutable OWNER;

    struct File {
        FileListing listing;
        bool deactivated;
    }

    mapping(bytes32 fileKey => File file) private _files;
    mapping(bytes32 fileKey => mapping(bytes32 readerKey => uint8 right)) private _rights;

    event RegisterMfileDid(string mfileDid);
    event DeactivateMfileDid(string mfileDid, bool deactivated);
    event ChangeController(string indexed mfileDid, string controller);
    event ChangeFtype(string indexed mfileDid, uint8 ftype);
    event ChangePrice(string indexed mfileDid, uint256 price);
    event ChangeKeywords(string indexed mfileDid, string[] keywords);
    event BuyRead(string indexed mfileDid, string memoDid);
    event GrantRead(string indexed mfileDid, string memoDid);
    event DeactivateRead(string indexed mfileDid, string memoDid);

    error NotOwner(address caller);
    error FileExists(string mfile);
    error FileUnknown(string mfile);
    error FileDeactivated(string mfile);
    error AlreadyReads(string mfile, string reader, uint8 right);
    error OnlyGrantedIsRevoked(string mfile, string reader, uint8 right);

    modifier onlyOwner() {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        _;
    }

    constructor(address owner) {
        OWNER = owner;
    }

    function registerMfileDid(FileListing memory listing) external onlyOwner {
        FileText.checkListing(listing);
        listing.controller = DidText.canonical(listing.controller);
        File storage file = _at(listing.mfile);
        if (_exists(file)) revert FileExists(listing.mfile);
        file.listing = listing;
        emit RegisterMfileDid(listing.mfile);
    }

    function changeController(string memory mfile, string memory controller) external onlyOwner {
        string memory id = DidText.canonical(controller);
        _active(mfile).listing.controller = id;
        emit ChangeController(mfile, id);
    }

    function changeFtype(string memory mfile, uint8 ftype) external onlyOwner {
        FileText.checkFtype(ftype);
        _active(mfile).listing.ftype = ftype;
        emit ChangeFtype(mfile, ftype);
    }

    function changePrice(string memory mfile, uint256 price) external onlyOwner {
        _active(mfile).listing.price = price;
        emit ChangePrice(mfile, price);
    }

    function changeKeywords(string memory mfile, string[] memory keywords) external onlyOwner {
        FileText.checkKeywords(keywords);
        _active(mfile).listing.keywords = keywords;
        emit ChangeKeywords(mfile, keywords);
    }

    function buyRead(string memory mfile, string memory reader) external onlyOwner {
        emit BuyRead(mfile, _allow(mfile, reader, READ_BOUGHT));
    }

    function grantRead(string memory mfile, string memory reader) external onlyOwner {
        emit GrantRead(mfile, _allow(mfile, reader, READ_GRANTED));
    }

    /// @notice Takes back what was granted; what was bought stays, unless its money goes back.
    function deactivateRead(string memory mfile, string memory reader) external onlyOwner {
        uint8 right = _rights[_keyOf(mfile)][DidText.keyOf(reader)];
        _active(mfile);
        if (right != READ_GRANTED) revert OnlyGrantedIsRevoked(mfile, reader, right);
        _revoke(mfile, reader);
    }

    /// @notice Takes back a right whose money went back; also of a file that is deactivated by then.
    function cancelBought(string memory mfile, string memory reader) external onlyOwner {
        _revoke(mfile, reader);
    }

    function deactivateMfileDid(string memory mfile, bool deactivated_) external onlyOwner {
        _active(mfile).deactivated = deactivated_;
        emit DeactivateMfileDid(mfile, deactivated_);
    }

    function getEncode(string memory mfile) external view returns (string memory) {
        return _at(mfile).listing.encode;
    }

    /// @notice 0 private, 1 public.
    function getFtype(string memory mfile) external view returns (uint8) {
        return _at(mfile).listing.ftype;
    }

    /// @notice The id of the controlling Memo DID; empty for an unknown file.
    function getController(string memory mfile) external view returns (string memory) {
        return _at(mfile).listing.controller;
    }

    function getPrice(string memory mfile) external view returns (uint256) {
        return _at(mfile).listing.price;
    }

    function getKeywords(string memory mfile) external view returns (string[] memory) {
        return _at(mfile).listing.keywords;
    }

    function deactivated(string memory mfile) external view returns (bool) {
        return _at(mfile).deactivated;
    }

    /// @notice 0 none, 1 bought, 2 granted.
    function read(string memory mfile, string memory reader) external view returns (uint8) {
        return _rights[_keyOf(mfile)][DidText.keyOf(reader)];
    }

    /// @notice Everything about a file; all empty where there is none.
    function data(string memory mfile) external view returns (FileListing memory, bool) {
        File storage file = _at(mfile);
        return (file.listing, file.deactivated);
    }

    /// @dev Whether a file was ever registered, which it is but once.
    function _exists(File storage file) private view returns (bool) {
        return bytes(file.listing.controller).length != 0;
    }

    function _allow(string memory mfile, string memory reader, uint8 right) private returns (string memory id) {
        _active(mfile);
        id = DidText.canonical(reader);
        bytes32 readerKey = keccak256(bytes(id));
        uint8 known = _rights[_keyOf(mfile)][readerKey];
        if (known != READ_NONE) revert AlreadyReads(mfile, id, known);
        _rights[_keyOf(mfile)][readerKey] = right;
    }

    function _revoke(string memory mfile, string memory reader) private {
        string memory id = DidText.canonical(reader);
        _rights[_keyOf(mfile)][keccak256(bytes(id))] = READ_NONE;
        emit DeactivateRead(mfile, id);
    }

    function _active(string memory mfile) private view returns (File storage file) {
        file = _at(mfile);
        if (!_exists(file)) revert FileUnknown(mfile);
        if (file.deactivated) revert FileDeactivated(mfile);
    }

    function _at(string memory mfile) private view returns (File storage) {
        return _files[_keyOf(mfile)];
    }

    function _keyOf(string memory mfile) private pure returns (bytes32) {
        return keccak256(bytes(mfile));
    }
}
