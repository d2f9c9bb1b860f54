// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {MarketTerms, PayInfo, Quota} from "../../src/types/MarketTypes.sol";
import {MarketNetwork} from "./support/MarketNetwork.sol";

/// @notice Buys, grants, cashes, ends and withdraws for three buyers as the fuzzer asks, and keeps its own books.
contract SpaceMarketInvariantTest is MarketNetwork {
    uint256 private paidIn;
    uint256 private cashed;
    mapping(address buyer => uint256 amount) private paidBy;
    mapping(address buyer => uint256 amount) private cashedFrom;
    string private broken;
    address[3] private buyers;

    function setUp() public override {
        super.setUp();
        // To make an address of a key costs as much as a call.
        for (uint256 i = 0; i < 3; ++i) {
            buyers[i] = vm.addr(BUYER_KEY + i);
        }
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(this);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](7);
        selectors[0] = this.doBuy.selector;
        selectors[1] = this.doGrant.selector;
        selectors[2] = this.doCash.selector;
        selectors[3] = this.doEnd.selector;
        selectors[4] = this.doWithdraw.selector;
        selectors[5] = this.doAnnounce.selector;
        selectors[6] = this.doWait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(this), selectors);
    }

    function doBuy(uint256 who, uint32 size) external {
        uint256 cost = market.quote(Quota.Space, size);
        market.buySpace(size, 1, _buyer(who));
        paidIn += cost;
        paidBy[_buyer(who)] += cost;
    }

    function doGrant(uint256 who, uint32 size) external {
        market.grant(Quota.Space, _buyer(who), size, "fuzz");
    }

    function doCash(uint256 who, uint64 size, bool stale) external {
        PayInfo memory info = market.spacePayInfo(_buyer(who));
        uint64 signed = uint64(size % (uint256(info.sizeByte) + info.freeByte + 2));
        uint256 nonce = stale && info.nonce > 0 ? info.nonce - 1 : info.nonce;
        bytes memory signature = voucher(spacePay, BUYER_KEY + who % 3, nonce, signed);
        uint256 before = spacePay.withdrawableOf(seller);
        vm.prank(seller);
        spacePay.cash(_buyer(who), nonce, signed, signature);
        uint256 amount = spacePay.withdrawableOf(seller) - before;
        if (nonce != info.nonce) broken = "an old nonce was cashed";
        if (signed <= info.freeByte && amount != 0) broken = "granted bytes were paid for";
        if (amount > info.balance) broken = "more was paid than the buyer had paid";
        cashed += amount;
        cashedFrom[_buyer(who)] += amount;
    }

    function doEnd(uint256 who) external {
        PayInfo memory info = market.spacePayInfo(_buyer(who));
        spacePay.end(_buyer(who));
        if (info.expire >= block.timestamp) broken = "ended before its time";
    }

    function doWithdraw(uint256 who) external {
        address account = who % 4 == 3 ? seller : _buyer(who % 4);
        uint256 due = spacePay.withdrawableOf(account);
        uint256 before = token.balanceOf(account);
        vm.prank(account);
        spacePay.withdraw();
        if (token.balanceOf(account) - before != due) broken = "a withdrawal paid something else";
    }

    function doAnnounce(uint16 price) external {
        market.announceTerms(MarketTerms(price, 1, seller));
    }

    function doWait(uint32 time, bool far) external {
        passTime(far ? 1100 days : time % 10_000, 60);
    }

    function invariant_every_byte_of_money_is_somebodys() public view {
        uint256 sum = spacePay.withdrawableOf(seller);
        for (uint256 i = 0; i < 3; ++i) {
            PayInfo memory info = market.spacePayInfo(_buyer(i));
            sum += info.balance + spacePay.withdrawableOf(_buyer(i));
            if (info.sizeByte == 0) equal(info.balance, 0, "no money without bytes");
            check(cashedFrom[_buyer(i)] <= paidBy[_buyer(i)], "nobody pays for another");
        }
        equal(spacePay.total(), sum, "the total is the sum");
        equal(token.balanceOf(address(spacePay)), sum, "and what is held");
        equal(token.balanceOf(seller) + spacePay.withdrawableOf(seller), cashed, "the seller has what was cashed");
        equal(broken, "", "nothing broke");
    }

    function _buyer(uint256 who) private view returns (address) {
        return buyers[who % 3];
    }
}
