// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {MarketTerms, PayInfo, Purchase, Quota} from "../../src/types/MarketTypes.sol";
import {MarketNetwork} from "./support/MarketNetwork.sol";

/// @notice Buys, grants, cashes, ends and withdraws for three buyers as the fuzzer asks, and keeps its own books.
contract SpaceMarketInvariantTest is MarketNetwork {
    uint256 private paidIn;
    uint256 private cashed;
    mapping(address buyer => uint256 amount) private paidBy;
    mapping(address buyer => uint256 amount) private cashedFrom;
    mapping(address buyer => uint256 amount) private paidBack;
    string private broken;
    address[3] private buyers;

    function setUp() public override {
        super.setUp();
        // To make an address of a key costs as much as a call.
        for (uint256 i = 0; i < 3; ++i) {
            buyers[i] = vm.addr(BUYER_KEY + i);
            token.transfer(buyers[i], SUPPLY / 8);
            vm.prank(buyers[i]);
            token.approve(address(spacePay), type(uint256).max);
        }
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(this);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = this.doBuy.selector;
        selectors[1] = this.doGrant.selector;
        selectors[2] = this.doCash.selector;
        selectors[3] = this.doEnd.selector;
        selectors[4] = this.doWithdraw.selector;
        selectors[5] = this.doAnnounce.selector;
        selectors[6] = this.doWait.selector;
        selectors[7] = this.doBuySigned.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(this), selectors);
    }

    /// @dev A stranger pays, or the buyer himself.
    function doBuy(uint256 who, uint32 size, bool isOwn) external {
        uint256 cost = market.quote(Quota.Space, size);
        address payer = isOwn ? _buyer(who) : address(this);
        uint256 before = token.balanceOf(payer);
        vm.prank(payer);
        market.buySpace(size, 1, _buyer(who));
        if (before - token.balanceOf(payer) != cost) broken = "the payer pays the price";
        if (isOwn && market.spacePayInfo(_buyer(who)).expire != _fullTerm()) broken = "what is one's own renews all";
        paidIn += cost;
        paidBy[_buyer(who)] += cost;
    }

    /// @dev Signed by the buyer, submitted by a stranger; now and then once more.
    function doBuySigned(uint256 who, uint32 size, uint256 maxAtto, bool again) external {
        address payer = _buyer(who);
        uint256 cost = market.quote(Quota.Space, size);
        uint256 before = token.balanceOf(payer);
        Purchase memory purchase = Purchase(
            payer, payer, size, cost - 1 + maxAtto % 8, spacePay.purchaseNonce(payer), uint64(block.timestamp)
        );
        bytes32 typeHash = keccak256(
            "Purchase(address payer,address buyer,uint64 sizeByte,uint256 maxAtto,uint256 nonce,uint64 deadline)"
        );
        bytes memory signature =
            sign(BUYER_KEY + who % 3, digestOf(keccak256(abi.encode(typeHash, purchase)), address(spacePay)));
        market.buySigned(Quota.Space, purchase, signature);
        if (before - token.balanceOf(payer) > purchase.maxAtto) broken = "more was taken than was signed";
        paidIn += cost;
        paidBy[payer] += cost;
        if (!again) return;
        try market.buySigned(Quota.Space, purchase, signature) {
            broken = "a signed purchase counted twice";
        } catch {}
    }

    function doGrant(uint256 who, uint32 size) external {
        market.grant(Quota.Space, _buyer(who), size, "fuzz");
    }

    /// @dev Of a buyer who has something, if one has.
    function doCash(uint256 who, uint64 size, uint8 asked) external {
        bool stale = asked % 8 == 0;
        for (uint256 i = 0; i < 3 && market.spacePayInfo(_buyer(who)).expire == 0; ++i) {
            who = who % 3 + 1;
        }
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
        for (uint256 i = 0; i < 3 && !_isOver(who); ++i) {
            who = who % 3 + 1;
        }
        PayInfo memory info = market.spacePayInfo(_buyer(who));
        spacePay.end(_buyer(who));
        if (info.expire >= block.timestamp) broken = "ended before its time";
    }

    function doWithdraw(uint256 who) external {
        address account = who % 4 == 3 ? seller : _buyer(who % 4);
        for (uint256 i = 0; i < 4 && spacePay.withdrawableOf(account) == 0; ++i) {
            account = i == 3 ? seller : _buyer(i);
        }
        uint256 due = spacePay.withdrawableOf(account);
        uint256 before = token.balanceOf(account);
        vm.prank(account);
        spacePay.withdraw();
        if (token.balanceOf(account) - before != due) broken = "a withdrawal paid something else";
        if (account != seller) paidBack[account] += due;
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
            uint256 kept = info.balance + spacePay.withdrawableOf(_buyer(i)) + paidBack[_buyer(i)];
            equal(cashedFrom[_buyer(i)] + kept, paidBy[_buyer(i)], "nobody pays for another");
        }
        equal(spacePay.total(), sum, "the total is the sum");
        equal(token.balanceOf(address(spacePay)), sum, "and what is held");
        equal(sum + token.balanceOf(seller) + _paidBack(), paidIn, "what came in and did not go out");
        equal(token.balanceOf(seller) + spacePay.withdrawableOf(seller), cashed, "the seller has what was cashed");
        equal(broken, "", "nothing broke");
    }

    function _paidBack() private view returns (uint256) {
        return paidBack[buyers[0]] + paidBack[buyers[1]] + paidBack[buyers[2]];
    }

    function _isOver(uint256 who) private view returns (bool) {
        uint64 expire = market.spacePayInfo(_buyer(who)).expire;
        return expire != 0 && expire < block.timestamp;
    }

    function _fullTerm() private view returns (uint256) {
        return block.timestamp + uint256(VALIDITY_DAYS) * 1 days;
    }

    function _buyer(uint256 who) private view returns (address) {
        return buyers[who % 3];
    }
}
