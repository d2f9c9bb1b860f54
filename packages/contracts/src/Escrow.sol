// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {IPayees} from "./interfaces/IPayees.sol";

/// @title The money of accounts: free, or under the lock of orders or reads
/// @notice Nobody can stop a withdrawal of free money; no contract pays more than it locked (spec/orders.md 1 to 3).
contract Escrow is IEscrow, IPayees {
    using SafeERC20 for IERC20;

    IERC20 public immutable TOKEN;

    /// @notice The two contracts that may lock: orders, and reads under orders.
    address public immutable ORDERS;
    address public immutable READS;

    /// @dev `free` can be withdrawn; of it `income` was earned, and cannot be locked while another is the payee.
    struct Balance {
        uint128 free;
        uint128 income;
    }

    mapping(address account => Balance balance) private _balances;

    /// @notice What is under the lock of orders or reads.
    mapping(address operator => uint256 amount) public lockedBy;

    /// @notice The sum of all free balances.
    uint256 public totalFree;

    mapping(address account => address payee) private _payees;

    event Deposited(address indexed account, address indexed payer, uint256 amount, uint256 balance);
    event Withdrawn(address indexed account, address indexed payee, uint256 amount, uint256 balance);
    event Locked(address indexed operator, address indexed account, uint256 amount);
    event Released(address indexed operator, address indexed account, uint256 amount);
    event Paid(address indexed operator, address indexed account, uint256 amount);
    event PayeeSet(address indexed account, address indexed payee, address previous);

    error EscrowTooSmall(address account, uint256 needed, uint256 free);
    error NotOperator(address caller);
    error NotPayee(address caller, address payee);
    error PayeeMissing();
    error AmountMissing();
    error AmountTooLarge(uint256 amount, uint256 limit);

    /// @param token the MEMO token
    /// @param orders the contract of orders
    /// @param reads the contract of read allowances
    constructor(IERC20 token, address orders, address reads) {
        TOKEN = token;
        ORDERS = orders;
        READS = reads;
    }

    modifier onlyOperator() {
        if (msg.sender != ORDERS && msg.sender != READS) revert NotOperator(msg.sender);
        _;
    }

    /// @notice Gives the caller's tokens to the escrow of `account`. Anyone may deposit for anyone.
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

    /// @notice Pays free money of `account` to its payee; the account and its payee may ask for it.
    function withdraw(address account, uint256 amount) external {
        address payee = payeeOf(account);
        if (msg.sender != account && msg.sender != payee) revert NotPayee(msg.sender, payee);
        if (amount == 0) revert AmountMissing();
        Balance memory balance = _balances[account];
        _take(account, amount, balance.free);
        // Income goes first: what was deposited can be locked as before.
        balance.income = amount < balance.income ? balance.income - uint128(amount) : 0;
        _balances[account].income = balance.income;
        emit Withdrawn(account, payee, amount, balance.free - amount);
        TOKEN.safeTransfer(payee, amount);
    }

    /// @notice Says who receives what `account` withdraws, and its pledge. Once there is another payee, only that one
    /// changes it, and income cannot be locked, so that whoever steals the key of a node gets none of it elsewhere.
    function setPayee(address account, address payee) external {
        address previous = payeeOf(account);
        if (msg.sender != previous) revert NotPayee(msg.sender, previous);
        if (payee == address(0)) revert PayeeMissing();
        _payees[account] = payee;
        emit PayeeSet(account, payee, previous);
    }

    /// @inheritdoc IEscrow
    function lock(address account, uint256 amount) external onlyOperator {
        Balance memory balance = _balances[account];
        bool isOwnPayee = payeeOf(account) == account;
        _take(account, amount, isOwnPayee ? balance.free : balance.free - balance.income);
        // Income goes last: it stays protected, should there be another payee later.
        uint128 left = balance.free - uint128(amount);
        if (balance.income > left) _balances[account].income = left;
        lockedBy[msg.sender] += amount;
        emit Locked(msg.sender, account, amount);
    }

    /// @inheritdoc IEscrow
    function release(address account, uint256 amount) external onlyOperator {
        lockedBy[msg.sender] -= amount;
        _give(account, amount);
        emit Released(msg.sender, account, amount);
    }

    /// @inheritdoc IEscrow
    function pay(address account, uint256 amount) external onlyOperator {
        lockedBy[msg.sender] -= amount;
        _give(account, amount);
        _balances[account].income += uint128(amount);
        emit Paid(msg.sender, account, amount);
    }

    /// @notice What an account can withdraw.
    function balanceOf(address account) external view returns (uint256) {
        return _balances[account].free;
    }

    /// @notice What of it the account has earned, which cannot be locked while another is its payee.
    function incomeOf(address account) external view returns (uint256) {
        return _balances[account].income;
    }

    /// @inheritdoc IPayees
    function payeeOf(address account) public view returns (address) {
        address payee = _payees[account];
        return payee == address(0) ? account : payee;
    }

    function _deposit(address account, uint256 amount) private {
        if (amount == 0) revert AmountMissing();
        _give(account, amount);
        emit Deposited(account, msg.sender, amount, _balances[account].free);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _give(address account, uint256 amount) private {
        if (amount > type(uint128).max) revert AmountTooLarge(amount, type(uint128).max);
        _balances[account].free += uint128(amount);
        totalFree += amount;
    }

    /// @dev `most` is what may be taken, which is not more than what is free.
    function _take(address account, uint256 amount, uint256 most) private {
        if (most < amount) revert EscrowTooSmall(account, amount, most);
        _balances[account].free -= uint128(amount);
        totalFree -= amount;
    }
}
