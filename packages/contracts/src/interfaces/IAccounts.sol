// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Account, Group} from "../types/RoleTypes.sol";

/// @notice What contracts that hold money need to know of the roles.
interface IAccounts {
    /// @notice The account of an address; its role is None where it never registered.
    function getAccount(address owner) external view returns (Account memory);

    function getGroup(uint32 id) external view returns (Group memory);
}
