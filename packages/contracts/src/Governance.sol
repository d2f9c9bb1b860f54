// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Who may call the few restricted functions
/// @notice An OpenZeppelin AccessManager; on a public network its admin is a timelock.
contract Governance is AccessManager {
    /// @param admin the first admin
    // solhint-disable-next-line no-empty-blocks
    constructor(address admin) AccessManager(admin) {}
}
