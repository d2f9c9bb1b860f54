// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Order} from "../types/OrderTypes.sol";

/// @notice What the contract of reads needs to know of the orders.
interface IOrders {
    /// @notice The order with a number from 1; reverts where there is none.
    function getOrder(uint64 orderId) external view returns (Order memory);
}
