// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Lock} from "../types/RoleTypes.sol";

/// @title Waiting times that need both seconds and blocks
library Locks {
    /// @notice Whether `lock`, begun at the given time and block, has run out.
    function isOver(Lock memory lock, uint64 sinceTime, uint64 sinceBlock) internal view returns (bool) {
        return block.timestamp >= uint256(sinceTime) + lock.waitSeconds
            && block.number >= uint256(sinceBlock) + lock.waitBlocks;
    }
}
