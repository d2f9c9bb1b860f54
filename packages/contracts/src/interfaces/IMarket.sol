// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice What the pay contracts need to know of the market.
interface IMarket {
    /// @notice Whose vouchers are cashed now.
    function seller() external view returns (address);
}
