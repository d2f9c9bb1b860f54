// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Order, Segment, Split} from "../types/OrderTypes.sol";
import {FailedEpochs} from "./FailedEpochs.sol";
import {OrderMath} from "./OrderMath.sol";

/// @title Orders, their segments, and what providers are liable for
/// @notice An order's lock is at every moment exactly what its unsettled epochs cost (spec/orders.md 7 to 10).
library OrderBook {
    using FailedEpochs for FailedEpochs.Book;

    /// @notice Changes that wait for settlement; more are refused, so that settling stays bounded.
    uint32 internal constant MAX_SEGMENTS = 16;

    struct Book {
        Order[] all;
        mapping(uint64 orderId => mapping(uint32 place => Segment segment)) segmentOf;
        mapping(address provider => uint256 bytes_) liableOf;
        mapping(address user => mapping(uint256 word => uint256 bits)) usedNonces;
    }

    error UnknownOrder(uint64 orderId);
    error NonceUsed(address user, uint64 nonce);
    error TooManyChanges(uint64 orderId, uint32 limit);

    /// @notice The order with a number from 1.
    function get(Book storage self, uint64 orderId) internal view returns (Order storage) {
        if (orderId == 0 || orderId > self.all.length) revert UnknownOrder(orderId);
        return self.all[orderId - 1];
    }

    function isNonceUsed(Book storage self, address user, uint64 nonce) internal view returns (bool) {
        return self.usedNonces[user][nonce / 256] & (1 << (nonce % 256)) != 0;
    }

    function useNonce(Book storage self, address user, uint64 nonce) internal {
        if (isNonceUsed(self, user, nonce)) revert NonceUsed(user, nonce);
        self.usedNonces[user][nonce / 256] |= 1 << (nonce % 256);
    }

    function last(Book storage self, uint64 orderId, Order storage order) internal view returns (Segment storage) {
        return self.segmentOf[orderId][order.segmentCount - 1];
    }

    /// @notice Changes an order from epoch `next.from` on, which is not before any other change of it.
    /// @return before what the epochs from there on cost until now
    /// @return afterwards what they cost from now on
    function change(Book storage self, uint64 orderId, Segment memory next, uint64 end)
        internal
        returns (uint256 before, uint256 afterwards)
    {
        Order storage order = get(self, orderId);
        Segment storage latest = last(self, orderId, order);
        before = uint256(latest.totalAtto) * (order.end - next.from);
        afterwards = uint256(next.totalAtto) * (end - next.from);
        if (latest.from == next.from) {
            self.segmentOf[orderId][order.segmentCount - 1] = next;
        } else if (end > next.from) {
            if (order.segmentCount - order.firstSegment == MAX_SEGMENTS) revert TooManyChanges(orderId, MAX_SEGMENTS);
            self.segmentOf[orderId][order.segmentCount] = next;
            ++order.segmentCount;
        }
        order.end = end;
        order.locked = OrderMath.narrow(order.locked + afterwards - before);
        ++order.seq;
        if (next.sizeBytes > order.liableBytes) _setLiable(self, order, next.sizeBytes);
        _finishIfOver(self, orderId, order);
    }

    /// @notice Settles the epochs before `to`, which is not after the order's end.
    function settle(Book storage self, FailedEpochs.Book storage failed, uint64 orderId, uint64 to)
        internal
        returns (Split memory split)
    {
        Order storage order = get(self, orderId);
        uint256 total;
        while (order.settledTo < to) {
            uint64 from = order.settledTo;
            uint64 segmentEnd = _endOfFirst(self, orderId, order);
            uint64 until = segmentEnd < to ? segmentEnd : to;
            uint256 failures = failed.count(order.provider, from, until);
            total += _addTo(split, self.segmentOf[orderId][order.firstSegment], until - from, failures);
            if (until == segmentEnd) {
                delete self.segmentOf[orderId][order.firstSegment];
                ++order.firstSegment;
            }
            order.settledTo = until;
        }
        split.foundation = total - split.income - split.refund - split.keepers;
        order.locked -= uint128(total);
        if (to != order.end) _setLiable(self, order, _largest(self, orderId, order));
        _finishIfOver(self, orderId, order);
    }

    function _endOfFirst(Book storage self, uint64 orderId, Order storage order) private view returns (uint64) {
        uint32 next = order.firstSegment + 1;
        return next < order.segmentCount ? self.segmentOf[orderId][next].from : order.end;
    }

    function _addTo(Split memory split, Segment memory segment, uint256 epochs, uint256 failures)
        private
        pure
        returns (uint256)
    {
        split.income += segment.incomeAtto * (epochs - failures);
        split.refund += segment.incomeAtto * failures;
        split.keepers += OrderMath.keepersOf(segment.incomeAtto) * epochs;
        return segment.totalAtto * epochs;
    }

    function _largest(Book storage self, uint64 orderId, Order storage order) private view returns (uint64 size) {
        for (uint32 place = order.firstSegment; place < order.segmentCount; ++place) {
            uint64 sizeBytes = self.segmentOf[orderId][place].sizeBytes;
            if (sizeBytes > size) size = sizeBytes;
        }
    }

    function _setLiable(Book storage self, Order storage order, uint64 sizeBytes) private {
        uint64 previous = order.liableBytes;
        if (previous == sizeBytes) return;
        address provider = order.provider;
        self.liableOf[provider] = self.liableOf[provider] - previous + sizeBytes;
        order.liableBytes = sizeBytes;
    }

    function _finishIfOver(Book storage self, uint64 orderId, Order storage order) private {
        if (order.settledTo != order.end) return;
        for (uint32 place = order.firstSegment; place < order.segmentCount; ++place) {
            delete self.segmentOf[orderId][place];
        }
        order.firstSegment = order.segmentCount;
        _setLiable(self, order, 0);
    }
}
