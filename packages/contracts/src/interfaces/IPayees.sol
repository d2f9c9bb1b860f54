// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What the pledges need to know of the escrow.
interface IPayees {
    /// @notice Who receives what an account takes out: itself, unless it named another.
    function payeeOf(address account) external view returns (address);
}
