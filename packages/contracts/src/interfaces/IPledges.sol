// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What the roles need to know of the pledges.
interface IPledges {
    /// @notice What an account has pledged, in attomemo.
    function pledgeOf(address account) external view returns (uint256);

    /// @notice What an account must keep pledged, in attomemo.
    function requirementOf(address account) external view returns (uint256);
}
