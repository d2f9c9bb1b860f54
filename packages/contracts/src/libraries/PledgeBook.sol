// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @title What each account has pledged, and what it has announced to take back
/// @notice The sum over all accounts is kept beside them, so that it can be held against the tokens.
library PledgeBook {
    struct Pledge {
        uint128 amount;
        uint128 announced;
        uint64 announcedAt;
        uint64 announcedBlock;
    }

    struct Book {
        mapping(address account => Pledge pledge) pledgeOf;
        uint256 total;
    }

    error AmountMissing();
    error AmountTooLarge(uint256 amount, uint256 limit);

    /// @notice Narrows an amount of attomemo; refuses zero.
    function checked(uint256 amount) internal pure returns (uint128) {
        if (amount == 0) revert AmountMissing();
        if (amount > type(uint128).max) revert AmountTooLarge(amount, type(uint128).max);
        return uint128(amount);
    }

    function increase(Book storage self, address account, uint256 amount) internal {
        self.pledgeOf[account].amount += checked(amount);
        self.total += amount;
    }

    function decrease(Book storage self, address account, uint256 amount) internal {
        self.pledgeOf[account].amount -= checked(amount);
        self.total -= amount;
    }

    function announce(Book storage self, address account, uint256 amount) internal {
        Pledge storage pledge = self.pledgeOf[account];
        pledge.announced = checked(amount);
        pledge.announcedAt = uint64(block.timestamp);
        pledge.announcedBlock = uint64(block.number);
    }

    function forgetAnnouncement(Book storage self, address account) internal {
        Pledge storage pledge = self.pledgeOf[account];
        pledge.announced = 0;
        pledge.announcedAt = 0;
        pledge.announcedBlock = 0;
    }
}
