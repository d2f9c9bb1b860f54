// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICommitments} from "./interfaces/ICommitments.sol";
import {IPayees} from "./interfaces/IPayees.sol";
import {IPledges} from "./interfaces/IPledges.sol";
import {IRoles} from "./interfaces/IRoles.sol";
import {Locks} from "./libraries/Locks.sol";
import {PledgeBook} from "./libraries/PledgeBook.sol";
import {Lock, PledgeTerms, Role} from "./types/RoleTypes.sol";

/// @title The pledges of providers and keepers
/// @notice Holds money, so it is not upgradable and its partners are immutable (spec/roles.md 6).
contract Pledges is IPledges {
    using SafeERC20 for IERC20;
    using PledgeBook for PledgeBook.Book;
    using Locks for Lock;

    uint256 private constant BYTES_PER_GIB = 1 << 30;

    IERC20 public immutable TOKEN;
    IRoles public immutable ROLES;

    /// @notice Knows for how many bytes a provider answers, whatever it offers by now.
    ICommitments public immutable COMMITMENTS;

    /// @notice Knows who receives what an account takes out: one payee for income and pledge.
    IPayees public immutable PAYEES;

    /// @notice The only one who may slash; the zero address means nobody.
    address public immutable SLASHER;

    PledgeTerms private _terms;
    PledgeBook.Book private _book;

    event PledgeDeposited(address indexed account, address indexed payer, uint256 amount, uint256 pledged);
    event WithdrawalAnnounced(address indexed account, uint256 amount, uint256 untilTime, uint256 untilBlock);
    event WithdrawalCancelled(address indexed account);
    event PledgeWithdrawn(address indexed account, address indexed payee, uint256 amount, uint256 pledged);
    event PledgeSlashed(address indexed account, address indexed beneficiary, uint256 amount, uint256 pledged);

    error PledgeNotFree(address account, uint256 amount, uint256 free);
    error NothingAnnounced(address account);
    error LockNotOver(uint256 untilTime, uint256 untilBlock);
    error NotSlasher(address caller);
    error NotPayee(address caller, address payee);

    /// @param token the MEMO token
    /// @param roles the contract that knows who owes what
    /// @param commitments the contract that knows what providers have promised
    /// @param payees the contract that knows to whom accounts pay out
    /// @param slasher may take pledges; zero for nobody
    /// @param terms_ what must be pledged, and how long a withdrawal waits
    constructor(
        IERC20 token,
        IRoles roles,
        ICommitments commitments,
        IPayees payees,
        address slasher,
        PledgeTerms memory terms_
    ) {
        TOKEN = token;
        ROLES = roles;
        COMMITMENTS = commitments;
        PAYEES = payees;
        SLASHER = slasher;
        _terms = terms_;
    }

    /// @notice Pledges the caller's tokens for `account`. Anyone may pledge for anyone; the pledge is the account's.
    function deposit(address account, uint256 amount) external {
        _deposit(account, amount);
    }

    /// @notice The same, with the approval as a signature of the caller.
    function depositWithPermit(address account, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        // Anyone may have submitted the same permit before: then the allowance is there and the transfer decides.
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(address(TOKEN)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(account, amount);
    }

    /// @dev The account itself, unless it named another payee: whoever steals the key of a node neither takes its pledge
    /// nor begins the wait for it anew.
    modifier onlyPayee(address account) {
        address payee = PAYEES.payeeOf(account);
        if (msg.sender != payee) revert NotPayee(msg.sender, payee);
        _;
    }

    /// @notice Announces to take back what the requirement leaves free. A new announcement replaces the last. This, and
    /// what follows, is the payee's alone.
    function announceWithdrawal(address account, uint256 amount) external onlyPayee(account) {
        _requireFree(account, amount);
        _book.announce(account, amount);
        emit WithdrawalAnnounced(
            account,
            amount,
            block.timestamp + _terms.withdrawal.waitSeconds,
            block.number + _terms.withdrawal.waitBlocks
        );
    }

    function cancelWithdrawal(address account) external onlyPayee(account) {
        if (_book.pledgeOf[account].announced == 0) revert NothingAnnounced(account);
        _book.forgetAnnouncement(account);
        emit WithdrawalCancelled(account);
    }

    /// @notice Pays what was announced to the payee, once the lock is over and if it is still free.
    function withdraw(address account) external onlyPayee(account) {
        PledgeBook.Pledge memory pledge = _book.pledgeOf[account];
        if (pledge.announced == 0) revert NothingAnnounced(account);
        Lock memory lock = _terms.withdrawal;
        if (!lock.isOver(pledge.announcedAt, pledge.announcedBlock)) {
            revert LockNotOver(
                uint256(pledge.announcedAt) + lock.waitSeconds, uint256(pledge.announcedBlock) + lock.waitBlocks
            );
        }
        _requireFree(account, pledge.announced);
        _book.forgetAnnouncement(account);
        _book.decrease(account, pledge.announced);
        emit PledgeWithdrawn(account, msg.sender, pledge.announced, _book.pledgeOf[account].amount);
        ROLES.refresh(account);
        TOKEN.safeTransfer(msg.sender, pledge.announced);
    }

    /// @notice Takes at most `amount` of a pledge and pays it to `beneficiary`.
    /// @return taken what the pledge could give
    function slash(address account, uint256 amount, address beneficiary) external returns (uint256 taken) {
        if (msg.sender != SLASHER) revert NotSlasher(msg.sender);
        taken = Math.min(amount, _book.pledgeOf[account].amount);
        if (taken == 0) return 0;
        _book.decrease(account, taken);
        emit PledgeSlashed(account, beneficiary, taken, _book.pledgeOf[account].amount);
        ROLES.refresh(account);
        TOKEN.safeTransfer(beneficiary, taken);
    }

    /// @inheritdoc IPledges
    function pledgeOf(address account) external view returns (uint256) {
        return _book.pledgeOf[account].amount;
    }

    /// @notice The pledge of an account with its announced withdrawal.
    function getPledge(address account) external view returns (PledgeBook.Pledge memory) {
        return _book.pledgeOf[account];
    }

    /// @notice The sum of all pledges. The contract never holds less.
    function totalPledged() external view returns (uint256) {
        return _book.total;
    }

    function terms() external view returns (PledgeTerms memory) {
        return _terms;
    }

    /// @inheritdoc IPledges
    function requirementOf(address account) public view returns (uint256) {
        (Role role, uint64 capacityBytes, bool released) = ROLES.pledgeDuty(account);
        if (role == Role.Provider) {
            return _providerRequirement(capacityBytes, COMMITMENTS.liableBytes(account), released);
        }
        if (role == Role.Keeper && !released) return _terms.keeperAtto;
        return 0;
    }

    /// @notice What a provider of this capacity must pledge: base + rate × GiB, rounded up.
    function requirementFor(uint256 capacityBytes) public view returns (uint256) {
        uint256 variablePart = uint256(_terms.providerRateAttoPerGiB) * capacityBytes;
        return _terms.providerBaseAtto + Math.ceilDiv(variablePart, BYTES_PER_GIB);
    }

    function _deposit(address account, uint256 amount) private {
        _book.increase(account, amount);
        emit PledgeDeposited(account, msg.sender, amount, _book.pledgeOf[account].amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
        ROLES.refresh(account);
    }

    /// @dev A provider pledges for what it offers or answers for, whichever is more; who has left, for the latter.
    function _providerRequirement(uint64 capacityBytes, uint256 liableBytes, bool released)
        private
        view
        returns (uint256)
    {
        if (!released) return requirementFor(liableBytes > capacityBytes ? liableBytes : capacityBytes);
        return liableBytes == 0 ? 0 : requirementFor(liableBytes);
    }

    function _requireFree(address account, uint256 amount) private view {
        uint256 pledged = _book.pledgeOf[account].amount;
        uint256 required = requirementOf(account);
        uint256 free = pledged > required ? pledged - required : 0;
        if (amount > free) revert PledgeNotFree(account, amount, free);
    }
}
