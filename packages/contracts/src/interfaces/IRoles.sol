// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Role} from "../types/RoleTypes.sol";

/// @notice What the pledges need to know of the roles.
interface IRoles {
    /// @notice The role and capacity for which an account must pledge; `released` once nothing is owed any more.
    function pledgeDuty(address account) external view returns (Role role, uint64 capacityBytes, bool released);

    /// @notice Brings an account's state into line with its pledge. Anyone may call it.
    function refresh(address account) external;
}
