// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What the pledges need to know of the orders.
interface ICommitments {
    /// @notice Bytes for which a provider answers, over all orders, until the dispute window of each has closed.
    function liableBytes(address provider) external view returns (uint256);
}
