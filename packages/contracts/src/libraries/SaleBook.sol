// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Lock} from "../types/RoleTypes.sol";
import {Sale} from "../types/FileTypes.sol";
import {Locks} from "./Locks.sol";

/// @title The money of sold read rights: waiting for a key, or withdrawable
/// @notice The sum of both is kept beside them (spec/file-did.md 8).
library SaleBook {
    using Locks for Lock;

    struct Book {
        mapping(bytes32 fileKey => mapping(bytes32 readerKey => Sale sale)) saleOf;
        mapping(address account => uint256 amount) withdrawableOf;
        uint256 total;
    }

    error NoSale(string mfile, string reader);
    error LockNotOver(uint256 untilTime, uint256 untilBlock);
    error AmountMissing();

    /// @notice Takes what waits for a key out of the book; the caller says whose it becomes.
    function settle(Book storage self, bytes32 fileKey, bytes32 readerKey, address to)
        internal
        returns (uint256 amount)
    {
        amount = self.saleOf[fileKey][readerKey].amount;
        delete self.saleOf[fileKey][readerKey];
        self.withdrawableOf[to] += amount;
    }

    function requireOver(Sale memory sale, Lock memory lock) internal view {
        if (lock.isOver(sale.boughtAt, sale.boughtBlock)) return;
        revert LockNotOver(uint256(sale.boughtAt) + lock.waitSeconds, uint256(sale.boughtBlock) + lock.waitBlocks);
    }

    function take(Book storage self, address account) internal returns (uint256 amount) {
        amount = self.withdrawableOf[account];
        if (amount == 0) revert AmountMissing();
        self.withdrawableOf[account] = 0;
        self.total -= amount;
    }
}
