// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title What one epoch of an order costs, and who gets it (spec/orders.md 5)
library OrderMath {
    uint256 internal constant BYTES_PER_GIB = 1 << 30;
    uint256 internal constant PERCENT = 100;
    uint256 internal constant KEEPERS_PERCENT = 4;
    uint256 internal constant FOUNDATION_PERCENT = 1;

    error PriceTooLarge(uint256 value, uint256 limit);

    /// @notice The provider's income, rounded down, and what the user pays with fees, rounded up, of one epoch.
    function perEpoch(uint64 sizeBytes, uint256 priceAttoPerGiBSecond, uint64 epochSeconds)
        internal
        pure
        returns (uint128 income, uint128 total)
    {
        uint256 price = narrow(priceAttoPerGiBSecond);
        // 64 + 128 + 64 bits: never too large for a word.
        uint256 product = price * sizeBytes * epochSeconds;
        income = narrow(product / BYTES_PER_GIB);
        uint256 withFees = PERCENT + KEEPERS_PERCENT + FOUNDATION_PERCENT;
        total = narrow(Math.mulDiv(product, withFees, BYTES_PER_GIB * PERCENT, Math.Rounding.Ceil));
    }

    /// @notice What the keepers get of one epoch, failed or not: they are not paid for finding failures.
    function keepersOf(uint128 income) internal pure returns (uint256) {
        return uint256(income) * KEEPERS_PERCENT / PERCENT;
    }

    function narrow(uint256 value) internal pure returns (uint128) {
        if (value > type(uint128).max) revert PriceTooLarge(value, type(uint128).max);
        return uint128(value);
    }
}
