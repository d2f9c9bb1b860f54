// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What the contracts of orders and reads may do with escrowed money: lock it, and give it back, or pay it.
interface IEscrow {
    /// @notice Takes free money of an account under the caller's lock.
    function lock(address account, uint256 amount) external;

    /// @notice Gives money under the caller's lock back to an account, as if it had been deposited.
    function release(address account, uint256 amount) external;

    /// @notice Makes money under the caller's lock the income of an account.
    function pay(address account, uint256 amount) external;
}
