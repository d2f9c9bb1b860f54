// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {PayInfo} from "../types/MarketTypes.sol";

/// @title Prepaid quota: what was paid for it, and what is left
/// @notice The sum of all balances and of what can be withdrawn is kept beside them (spec/space-market.md 5 to 8).
library PayBook {
    struct Book {
        mapping(address buyer => PayInfo info) infoOf;
        mapping(address account => uint256 amount) withdrawableOf;
        uint256 total;
    }

    error AmountMissing();
    error WrongNonce(address buyer, uint256 nonce, uint256 expected);
    error QuotaExceeded(address buyer, uint64 sizeByte, uint256 available);
    error NotExpired(address buyer, uint64 expire);

    /// @notice What others add to a buyer's quota renews it from this part of it on.
    uint256 internal constant RENEWING_PART = 10;

    /// @notice What somebody adds to a buyer's quota.
    struct Addition {
        uint256 amount;
        uint64 paidByte;
        uint64 freeByte;
        uint64 expire;
        bool isOwn;
    }

    /// @notice Adds what was bought or granted to what has not expired, and renews it all; but a trifle from others
    /// expires with the rest, or anyone could hold a buyer's money back for ever.
    /// @return expire when all of it expires
    function add(Book storage self, address buyer, Addition memory more) internal returns (uint64 expire) {
        uint256 added = uint256(more.paidByte) + more.freeByte;
        if (added == 0) revert AmountMissing();
        PayInfo storage info = self.infoOf[buyer];
        uint256 present = uint256(info.sizeByte) + info.freeByte;
        if (more.isOwn || info.expire == 0 || added * RENEWING_PART >= present) info.expire = more.expire;
        info.sizeByte += more.paidByte;
        info.freeByte += more.freeByte;
        info.balance += more.amount;
        self.total += more.amount;
        return info.expire;
    }

    /// @notice Whether a buyer's quota has expired and waits for its end.
    function isOver(Book storage self, address buyer) internal view returns (bool) {
        uint64 expire = self.infoOf[buyer].expire;
        return expire != 0 && expire < block.timestamp;
    }

    /// @notice Uses `sizeByte` up: what was granted first, then what was paid for at its average price, rounded down.
    function cash(Book storage self, address buyer, uint256 nonce, uint64 sizeByte, address seller)
        internal
        returns (uint256 amount)
    {
        PayInfo storage info = self.infoOf[buyer];
        if (nonce != info.nonce) revert WrongNonce(buyer, nonce, info.nonce);
        if (sizeByte == 0) revert AmountMissing();
        uint256 available = uint256(info.sizeByte) + info.freeByte;
        if (sizeByte > available) revert QuotaExceeded(buyer, sizeByte, available);
        uint64 free = sizeByte < info.freeByte ? sizeByte : info.freeByte;
        uint64 paid = sizeByte - free;
        if (paid != 0) amount = Math.mulDiv(info.balance, paid, info.sizeByte);
        info.freeByte -= free;
        info.sizeByte -= paid;
        info.balance -= amount;
        ++info.nonce;
        self.withdrawableOf[seller] += amount;
    }

    /// @notice Ends expired quota: its vouchers are void, what is left of the money is the buyer's.
    function end(Book storage self, address buyer) internal returns (uint256 amount) {
        PayInfo storage info = self.infoOf[buyer];
        if (!isOver(self, buyer)) revert NotExpired(buyer, info.expire);
        amount = info.balance;
        self.withdrawableOf[buyer] += amount;
        self.infoOf[buyer] = PayInfo(info.nonce + 1, 0, 0, 0, 0);
    }

    function take(Book storage self, address account) internal returns (uint256 amount) {
        amount = self.withdrawableOf[account];
        if (amount == 0) revert AmountMissing();
        self.withdrawableOf[account] = 0;
        self.total -= amount;
    }
}
