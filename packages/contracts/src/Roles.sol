// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IPledges} from "./interfaces/IPledges.sol";
import {IRoles} from "./interfaces/IRoles.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {KeeperSet} from "./libraries/KeeperSet.sol";
import {Locks} from "./libraries/Locks.sol";
import {Account, AccountState, Contact, Group, Lock, Offer, Role} from "./types/RoleTypes.sol";

/// @title Who takes part, in which role, and where it is reached
/// @notice One irrevocable role per account (spec/roles.md).
contract Roles is AccessManaged, IRoles {
    using Accounts for Accounts.Book;
    using KeeperSet for KeeperSet.Set;
    using Locks for Lock;

    /// @notice The only group for now; every account is its member.
    uint32 public constant FIRST_GROUP = 1;

    /// @notice Holds the pledges that decide who is active.
    IPledges public immutable PLEDGES;

    /// @notice How many active keepers a group needs to serve.
    uint32 public immutable LEVEL;

    Lock private _exitLock;
    Accounts.Book private _book;
    KeeperSet.Set private _keepers;

    event AccountRegistered(address indexed account, Role indexed role, uint32 indexed index, uint32 group);
    event ContactSet(address indexed account, string endpoint, string operatorLabel, string region);
    event OfferSet(
        address indexed account,
        uint64 capacityBytes,
        uint128 storagePriceAttoPerGiBSecond,
        uint128 retrievalPriceAttoPerByte
    );
    event StateChanged(address indexed account, AccountState indexed state, AccountState previous);

    error WrongRole(address account, Role role);
    error WrongState(address account, AccountState state);
    error PledgeTooSmall(address account, uint256 required, uint256 pledged);
    error LockNotOver(uint256 untilTime, uint256 untilBlock);
    error UnknownGroup(uint32 group);

    /// @param authority the AccessManager that decides who may ban
    /// @param pledges the contract that holds the pledges
    /// @param level how many active keepers a group needs to serve
    /// @param exitLock_ how long a leaving account stays liable
    constructor(address authority, IPledges pledges, uint32 level, Lock memory exitLock_) AccessManaged(authority) {
        PLEDGES = pledges;
        LEVEL = level;
        _exitLock = exitLock_;
    }

    function registerUser() external {
        _refresh(_register(Role.User));
    }

    function registerProvider(Contact calldata contact, Offer calldata offer) external {
        Account storage account = _register(Role.Provider);
        _setContact(account, contact);
        _setOffer(account, offer);
        _refresh(account);
    }

    function registerKeeper(Contact calldata contact) external {
        Account storage account = _register(Role.Keeper);
        _setContact(account, contact);
        _refresh(account);
    }

    /// @notice Changes where a provider or keeper is reached; allowed in every state but exited.
    function setEndpoint(string calldata endpoint) external {
        Account storage account = _reachable();
        Accounts.checkEndpoint(endpoint);
        account.contact.endpoint = endpoint;
        _emitContact(account);
    }

    function setLabels(string calldata operatorLabel, string calldata region) external {
        Account storage account = _reachable();
        Accounts.checkLabel(operatorLabel);
        Accounts.checkLabel(region);
        account.contact.operatorLabel = operatorLabel;
        account.contact.region = region;
        _emitContact(account);
    }

    /// @notice Changes capacity and prices. An active provider may not offer more than its pledge covers.
    function setOffer(Offer calldata offer) external {
        Account storage account = _book.get(msg.sender);
        if (account.role != Role.Provider) revert WrongRole(msg.sender, account.role);
        _requireServing(account);
        bool wasActive = account.state == AccountState.Active;
        _setOffer(account, offer);
        if (wasActive) _requirePledge(msg.sender);
        _refresh(account);
    }

    /// @notice Begins to leave: no new work, liable until the lock is over.
    function startExit() external {
        Account storage account = _book.get(msg.sender);
        _requireServing(account);
        _leave(account, AccountState.Exiting);
    }

    /// @notice Ends the exit once the lock is over; the whole pledge is free from then on.
    function finishExit() external {
        Account storage account = _book.get(msg.sender);
        if (account.state != AccountState.Exiting) revert WrongState(msg.sender, account.state);
        if (!_isExitOver(account)) {
            revert LockNotOver(
                uint256(account.exitAt) + _exitLock.waitSeconds, uint256(account.exitBlock) + _exitLock.waitBlocks
            );
        }
        _setState(account, AccountState.Exited);
    }

    /// @notice Forces an account to leave. Its pledge stays its own, and a lock that runs already is not begun anew:
    /// whoever could begin it without end would hold the pledge for ever.
    function ban(address owner) external restricted {
        Account storage account = _book.get(owner);
        AccountState state = account.state;
        if (state == AccountState.Exited || state == AccountState.Banned) revert WrongState(owner, state);
        bool isRunning = account.exitBlock != 0 && !_isExitOver(account);
        if (state == AccountState.Exiting || isRunning) _setState(account, AccountState.Banned);
        else _leave(account, AccountState.Banned);
    }

    /// @notice Lifts a ban before its lock is over; the state follows from the pledge again. Later the pledge is free.
    function unban(address owner) external restricted {
        Account storage account = _book.get(owner);
        if (account.state != AccountState.Banned || _isExitOver(account)) revert WrongState(owner, account.state);
        _setState(account, AccountState.Registered);
        _refresh(account);
    }

    /// @inheritdoc IRoles
    function refresh(address owner) external {
        if (_book.indexOf[owner] != 0) _refresh(_book.get(owner));
    }

    /// @inheritdoc IRoles
    function pledgeDuty(address owner) external view returns (Role role, uint64 capacityBytes, bool released) {
        if (_book.indexOf[owner] == 0) return (Role.None, 0, true);
        Account storage account = _book.get(owner);
        AccountState state = account.state;
        released = state == AccountState.Exited || (state == AccountState.Banned && _isExitOver(account));
        return (account.role, account.offer.capacityBytes, released);
    }

    /// @notice The account of an address; its role is None where it never registered.
    function getAccount(address owner) external view returns (Account memory account) {
        if (_book.indexOf[owner] != 0) account = _book.get(owner);
    }

    /// @notice The account with an index from 1; its role is None where there is none.
    function getAccountByIndex(uint32 index) external view returns (Account memory account) {
        if (index != 0 && index <= _book.all.length) account = _book.all[index - 1];
    }

    /// @notice A page of one role, in the order of registration; at most 100 at a time.
    function listByRole(Role role, uint256 offset, uint256 limit) external view returns (Account[] memory) {
        return _book.page(role, offset, limit);
    }

    function accountCount() external view returns (uint256) {
        return _book.all.length;
    }

    function countByRole(Role role) external view returns (uint256) {
        return _book.byRole[role].length;
    }

    function getGroup(uint32 id) external view returns (Group memory) {
        if (id != FIRST_GROUP) revert UnknownGroup(id);
        address[] memory keepers = _keepers.members;
        return Group({id: id, level: LEVEL, serving: keepers.length >= LEVEL, keepers: keepers});
    }

    function exitLock() external view returns (Lock memory) {
        return _exitLock;
    }

    function _register(Role role) private returns (Account storage account) {
        account = _book.add(msg.sender, role, FIRST_GROUP);
        emit AccountRegistered(msg.sender, role, account.index, FIRST_GROUP);
        emit StateChanged(msg.sender, AccountState.Registered, AccountState.None);
    }

    function _reachable() private view returns (Account storage account) {
        account = _book.get(msg.sender);
        if (account.role == Role.User) revert WrongRole(msg.sender, account.role);
        if (account.state == AccountState.Exited) revert WrongState(msg.sender, account.state);
    }

    function _requireServing(Account storage account) private view {
        AccountState state = account.state;
        if (state == AccountState.Exiting || state == AccountState.Exited || state == AccountState.Banned) {
            revert WrongState(account.owner, state);
        }
    }

    function _requirePledge(address owner) private view {
        uint256 required = PLEDGES.requirementOf(owner);
        uint256 pledged = PLEDGES.pledgeOf(owner);
        if (pledged < required) revert PledgeTooSmall(owner, required, pledged);
    }

    function _setContact(Account storage account, Contact calldata contact) private {
        Accounts.checkContact(contact);
        account.contact = contact;
        _emitContact(account);
    }

    function _emitContact(Account storage account) private {
        Contact storage contact = account.contact;
        emit ContactSet(account.owner, contact.endpoint, contact.operatorLabel, contact.region);
    }

    function _setOffer(Account storage account, Offer calldata offer) private {
        account.offer = offer;
        emit OfferSet(
            account.owner, offer.capacityBytes, offer.storagePriceAttoPerGiBSecond, offer.retrievalPriceAttoPerByte
        );
    }

    function _isExitOver(Account storage account) private view returns (bool) {
        return _exitLock.isOver(account.exitAt, account.exitBlock);
    }

    function _leave(Account storage account, AccountState state) private {
        account.exitAt = uint64(block.timestamp);
        account.exitBlock = uint64(block.number);
        _setState(account, state);
    }

    /// @dev Active exactly while the pledge covers the requirement; suspended once it was active and no longer is.
    function _refresh(Account storage account) private {
        AccountState state = account.state;
        if (state == AccountState.Exiting || state == AccountState.Exited || state == AccountState.Banned) return;
        bool covered = PLEDGES.pledgeOf(account.owner) >= PLEDGES.requirementOf(account.owner);
        if (covered) _setState(account, AccountState.Active);
        else if (state == AccountState.Active) _setState(account, AccountState.Suspended);
    }

    function _setState(Account storage account, AccountState state) private {
        AccountState previous = account.state;
        if (previous == state) return;
        account.state = state;
        if (account.role == Role.Keeper) {
            if (state == AccountState.Active) _keepers.add(account.owner);
            else _keepers.remove(account.owner);
        }
        emit StateChanged(account.owner, state, previous);
    }
}
