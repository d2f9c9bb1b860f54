// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title What governance decides is announced here, and waits
/// @notice An OpenZeppelin TimelockController without an admin of its own (spec/governance.md 2).
contract Timelock is TimelockController {
    /// @param minDelaySeconds how long everything waits at least
    /// @param proposers who may announce and cancel
    /// @param executors who may carry out what has waited
    constructor(uint256 minDelaySeconds, address[] memory proposers, address[] memory executors)
        TimelockController(minDelaySeconds, proposers, executors, address(0))
        // solhint-disable-next-line no-empty-blocks

    {}
}
