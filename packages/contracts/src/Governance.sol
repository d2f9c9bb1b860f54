// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Who may call the few restricted functions
/// @notice An OpenZeppelin AccessManager that is complete from its first block (spec/governance.md).
contract Governance is AccessManager {
    /// @notice Which role a function of a contract needs; all others need the admin.
    // solhint-disable-next-line gas-struct-packing
    struct Assignment {
        address target;
        bytes4 selector;
        uint64 role;
    }

    /// @notice Who has a role from the beginning.
    struct Membership {
        uint64 role;
        address account;
    }

    /// @param admin the first admin: on a public network the timelock
    /// @param assignments functions that need a role other than admin
    /// @param memberships who has which role
    constructor(address admin, Assignment[] memory assignments, Membership[] memory memberships) AccessManager(admin) {
        for (uint256 i = 0; i < assignments.length; ++i) {
            Assignment memory assignment = assignments[i];
            _setTargetFunctionRole(assignment.target, assignment.selector, assignment.role);
        }
        for (uint256 i = 0; i < memberships.length; ++i) {
            _grantRole(memberships[i].role, memberships[i].account, 0, 0);
        }
    }
}
