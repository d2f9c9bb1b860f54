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

    /// @notice Adds what was bought or granted; what has expired before becomes withdrawable first.
    function add(Book storage self, address buyer, uint64 paidByte, uint64 freeByte, uint256 amount, uint64 expire)
        internal
    {
        if (paidByte == 0 && freeByte == 0) revert AmountMissing();
        PayInfo storage info = self.infoOf[buyer];
        if (info.expire != 0 && info.expire < block.timestamp) end(self, buyer);
        info.sizeByte += paidByte;
        info.freeByte += freeByte;
        info.balance += amount;
        info.expire = expire;
        self.total += amount;
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
        if (info.expire == 0 || info.expire >= block.timestamp) revert NotExpired(buyer, info.expire);
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
