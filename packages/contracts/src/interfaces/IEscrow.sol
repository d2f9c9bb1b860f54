// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What the contracts of orders and reads may do with escrowed money: lock it, and let it go to an account.
interface IEscrow {
    /// @notice Takes free money of an account under the caller's lock.
    function lock(address account, uint256 amount) external;

    /// @notice Makes money under the caller's lock the free money of an account.
    function release(address account, uint256 amount) external;
}
