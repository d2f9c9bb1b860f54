// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @title The active keepers of a group: a small set that can be listed
library KeeperSet {
    /// @notice Every keeper signs reports, so a group stays small enough for them to be checked on chain.
    uint256 internal constant MAX_KEEPERS = 64;

    struct Set {
        address[] members;
        mapping(address keeper => uint256 position) positionOf;
    }

    error GroupFull(uint256 limit);

    /// @notice Adds a keeper; does nothing where it is a member already.
    function add(Set storage self, address keeper) internal {
        if (self.positionOf[keeper] != 0) return;
        if (self.members.length == MAX_KEEPERS) revert GroupFull(MAX_KEEPERS);
        self.members.push(keeper);
        self.positionOf[keeper] = self.members.length;
    }

    /// @notice Removes a keeper; does nothing where it is no member.
    function remove(Set storage self, address keeper) internal {
        uint256 position = self.positionOf[keeper];
        if (position == 0) return;
        address last = self.members[self.members.length - 1];
        self.members[position - 1] = last;
        self.positionOf[last] = position;
        self.members.pop();
        delete self.positionOf[keeper];
    }
}
