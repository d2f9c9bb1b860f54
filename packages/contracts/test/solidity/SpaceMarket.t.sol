// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {QuotaPay} from "../../src/QuotaPay.sol";
import {SpaceMarket} from "../../src/SpaceMarket.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {DidMessages} from "../../src/libraries/DidMessages.sol";
import {DidRecord} from "../../src/libraries/DidRecord.sol";
import {DidSignatures} from "../../src/libraries/DidSignatures.sol";
import {PayBook} from "../../src/libraries/PayBook.sol";
import {MarketTerms, PayInfo, Purchase, Quota} from "../../src/types/MarketTypes.sol";
import {Lock} from "../../src/types/RoleTypes.sol";
import {HostileToken} from "./support/Hostile.sol";
import {MarketNetwork} from "./support/MarketNetwork.sol";
import {Vm} from "./support/Test.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

contract SpaceMarketTest is MarketNetwork {
    string private constant ID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    function test_a_purchase_costs_the_price_and_is_valid_three_years() public {
        market.buySpace(1024, 1, buyer);
        market.buyTraffic(10, buyer);
        PayInfo memory info = market.spacePayInfo(buyer);
        equal(info.nonce, 0, "nonce");
        equal(info.balance, 1024 * SPACE_PRICE, "paid");
        equal(info.sizeByte, 1024, "size");
        equal(info.freeByte, 0, "free");
        equal(info.expire, block.timestamp + 1095 days, "valid");
        equal(market.trafficPayInfo(buyer).balance, 10 * TRAFFIC_PRICE, "traffic");
        equal(token.balanceOf(address(spacePay)), 1024 * SPACE_PRICE, "held by the pay contract");
        vm.expectRevert(abi.encodeWithSelector(SpaceMarket.DurationTooLong.selector, 1096, 1095));
        market.buySpace(1, 1096, buyer);
        vm.expectRevert(PayBook.AmountMissing.selector);
        market.buySpace(0, 1, buyer);
    }

    function test_the_published_voucher_verifies() public {
        string memory json = vm.readFile("../../spec/vectors/space-market.json");
        QuotaPay pay = QuotaPay(vm.parseJsonAddress(json, ".original.payAddress"));
        vm.etch(address(pay), address(new QuotaPay(IERC20(address(token)), IMarket(address(market)))).code);
        bytes32 hash = pay.voucherHash(
            vm.parseJsonUint(json, ".original.nonce"),
            uint64(vm.parseJsonUint(json, ".original.sizeByte")),
            vm.parseJsonAddress(json, ".original.seller")
        );
        equal(hash, vm.parseJsonBytes32(json, ".original.hash"), "hash");
        bytes memory signature = vm.parseJsonBytes(json, ".original.signature");
        check(DidSignatures.isValid(vm.parseJsonAddress(json, ".buyer"), hash, signature), "signature");
    }

    function test_typed_messages_have_the_digests_of_the_vectors() public {
        string memory json = vm.readFile("../../spec/vectors/space-market.json");
        vm.chainId(vm.parseJsonUint(json, ".chainId"));
        address pay = vm.parseJsonAddress(json, ".original.payAddress");
        address signer = vm.parseJsonAddress(json, ".buyer");
        bytes32 digest =
            digestOf(_voucherStruct(signer, vm.parseJsonAddress(json, ".original.seller"), 0, 1048576), pay);
        equal(digest, vm.parseJsonBytes32(json, ".messages[0].digest"), "voucher");
        Purchase memory purchase = Purchase(signer, signer, 4096, 5_000_000, 2, 1_700_000_600);
        digest = digestOf(_purchaseStruct(purchase), pay);
        equal(digest, vm.parseJsonBytes32(json, ".messages[1].digest"), "purchase");
    }

    function test_the_seller_cashes_a_voucher_in_either_form_once() public {
        market.buySpace(1000, 1, buyer);
        bytes memory signature = voucher(spacePay, BUYER_KEY, 0, 400);
        vm.prank(seller);
        spacePay.cash(buyer, 0, 400, signature);
        equal(spacePay.withdrawableOf(seller), 400 * SPACE_PRICE, "earned");
        PayInfo memory info = market.spacePayInfo(buyer);
        equal(info.nonce, 1, "the next nonce");
        equal(info.sizeByte, 600, "what is left");
        equal(info.balance, 600 * SPACE_PRICE, "and its money");
        vm.expectRevert(abi.encodeWithSelector(PayBook.WrongNonce.selector, buyer, 0, 1));
        vm.prank(seller);
        spacePay.cash(buyer, 0, 400, signature);
        bytes memory typed = sign(BUYER_KEY, digestOf(_voucherStruct(buyer, seller, 1, 600), address(spacePay)));
        vm.prank(seller);
        spacePay.cash(buyer, 1, 600, typed);
        vm.prank(seller);
        spacePay.withdraw();
        equal(token.balanceOf(seller), 1000 * SPACE_PRICE, "paid out");
        vm.expectRevert(PayBook.AmountMissing.selector);
        vm.prank(seller);
        spacePay.withdraw();
    }

    function test_granted_bytes_are_used_first_and_bring_the_seller_nothing() public {
        market.grant(Quota.Space, buyer, 300, "for a trial");
        market.buySpace(1000, 1, buyer);
        _cash(spacePay, 0, 200);
        equal(spacePay.withdrawableOf(seller), 0, "granted");
        _cash(spacePay, 1, 101);
        equal(spacePay.withdrawableOf(seller), SPACE_PRICE, "one byte was paid for");
        equal(market.spacePayInfo(buyer).sizeByte, 999, "left");
    }

    function test_bytes_at_two_prices_are_cashed_at_their_average_rounded_down() public {
        market.buySpace(3, 1, buyer);
        market.announceTerms(MarketTerms(1001, 1, seller));
        passTime(DELAY_SECONDS, DELAY_BLOCKS);
        market.buySpace(4, 1, buyer);
        _cash(spacePay, 0, 3);
        equal(spacePay.withdrawableOf(seller), uint256(3 * 1000 + 4 * 1001) * 3 / 7, "rounded down");
        _cash(spacePay, 1, 4);
        equal(spacePay.withdrawableOf(seller), 3 * 1000 + 4 * 1001, "the last bytes carry the rest");
    }

    function test_nobody_cashes_more_than_was_signed_and_bought() public {
        market.buySpace(1000, 1, buyer);
        bytes memory signature = voucher(spacePay, BUYER_KEY, 0, 400);
        vm.expectRevert(abi.encodeWithSelector(QuotaPay.NotSeller.selector, address(this), seller));
        spacePay.cash(buyer, 0, 400, signature);
        vm.expectRevert(abi.encodeWithSelector(QuotaPay.NotSignedBy.selector, buyer));
        vm.prank(seller);
        spacePay.cash(buyer, 0, 401, signature);
        signature = voucher(spacePay, BUYER_KEY, 0, 1001);
        vm.expectRevert(abi.encodeWithSelector(PayBook.QuotaExceeded.selector, buyer, 1001, 1000));
        vm.prank(seller);
        spacePay.cash(buyer, 0, 1001, signature);
        signature = voucher(spacePay, BUYER_KEY, 0, 0);
        vm.expectRevert(PayBook.AmountMissing.selector);
        vm.prank(seller);
        spacePay.cash(buyer, 0, 0, signature);
    }

    function test_a_voucher_of_space_is_none_of_traffic_nor_of_another_chain() public {
        market.buySpace(1000, 1, buyer);
        market.buyTraffic(1000, buyer);
        bytes memory legacy = voucher(spacePay, BUYER_KEY, 0, 400);
        bytes memory typed = sign(BUYER_KEY, digestOf(_voucherStruct(buyer, seller, 0, 400), address(spacePay)));
        bytes memory refusal = abi.encodeWithSelector(QuotaPay.NotSignedBy.selector, buyer);
        vm.expectRevert(refusal);
        vm.prank(seller);
        trafficPay.cash(buyer, 0, 400, legacy);
        vm.expectRevert(refusal);
        vm.prank(seller);
        trafficPay.cash(buyer, 0, 400, typed);
        vm.chainId(986);
        vm.expectRevert(refusal);
        vm.prank(seller);
        spacePay.cash(buyer, 0, 400, typed);
    }

    function test_a_voucher_for_one_seller_is_none_of_the_next() public {
        market.buySpace(1000, 1, buyer);
        bytes memory signature = voucher(spacePay, BUYER_KEY, 0, 400);
        address other = address(0x07e4);
        market.announceTerms(MarketTerms(SPACE_PRICE, TRAFFIC_PRICE, other));
        equal(market.seller(), seller, "not yet");
        passTime(DELAY_SECONDS, DELAY_BLOCKS - 1);
        equal(market.seller(), seller, "blocks are missing");
        passTime(0, 1);
        equal(market.seller(), other, "now");
        vm.expectRevert(abi.encodeWithSelector(QuotaPay.NotSignedBy.selector, buyer));
        vm.prank(other);
        spacePay.cash(buyer, 0, 400, signature);
        vm.expectRevert(abi.encodeWithSelector(QuotaPay.NotSeller.selector, seller, other));
        vm.prank(seller);
        spacePay.cash(buyer, 0, 400, signature);
    }

    function test_expired_space_stays_withdrawable_and_its_vouchers_are_void() public {
        market.buySpace(1000, 1, buyer);
        vm.expectRevert(abi.encodeWithSelector(PayBook.NotExpired.selector, buyer, uint64(block.timestamp + 1095 days)));
        spacePay.end(buyer);
        vm.warp(block.timestamp + 1095 days + 1);
        bytes memory signature = voucher(spacePay, BUYER_KEY, 0, 400);
        spacePay.end(buyer);
        vm.expectRevert(abi.encodeWithSelector(PayBook.WrongNonce.selector, buyer, 0, 1));
        vm.prank(seller);
        spacePay.cash(buyer, 0, 400, signature);
        vm.prank(buyer);
        spacePay.withdraw();
        equal(token.balanceOf(buyer), 1000 * SPACE_PRICE, "all of it");
        vm.expectRevert(abi.encodeWithSelector(PayBook.NotExpired.selector, buyer, 0));
        spacePay.end(buyer);
    }

    function test_a_purchase_revives_no_expired_quota() public {
        market.buySpace(1000, 1, buyer);
        market.grant(Quota.Space, buyer, 500, "for a trial");
        vm.warp(block.timestamp + 1095 days + 1);
        market.buySpace(1, 1, buyer);
        PayInfo memory info = market.spacePayInfo(buyer);
        equal(info.sizeByte, 1, "only what is new");
        equal(info.freeByte, 0, "nothing free");
        equal(spacePay.withdrawableOf(buyer), 1000 * SPACE_PRICE, "the old money is the buyer's");
    }

    function test_a_byte_that_a_stranger_buys_holds_nobodys_money_back() public {
        token.transfer(buyer, 1000 * SPACE_PRICE);
        vm.prank(buyer);
        token.approve(address(spacePay), type(uint256).max);
        vm.prank(buyer);
        market.buySpace(900, 1, buyer);
        uint64 expire = market.spacePayInfo(buyer).expire;
        vm.warp(expire - 1);
        market.buySpace(1, 1, buyer);
        market.grant(Quota.Space, buyer, 1, "for a trial");
        equal(market.spacePayInfo(buyer).expire, expire, "a trifle expires with the rest");
        market.buySpace(91, 1, buyer);
        equal(market.spacePayInfo(buyer).expire, block.timestamp + 1095 days, "a tenth of what is there renews it");
        vm.warp(block.timestamp + 1000 days);
        vm.prank(buyer);
        market.buySpace(1, 1, buyer);
        equal(market.spacePayInfo(buyer).expire, block.timestamp + 1095 days, "and so does the buyer, with anything");
    }

    function test_every_end_of_quota_is_an_event() public {
        market.buySpace(1000, 1, buyer);
        vm.warp(block.timestamp + 1095 days + 1);
        vm.recordLogs();
        market.buySpace(1, 1, buyer);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs[0].topics[0], QuotaPay.Ended.selector, "what was there has ended");
        equal(abi.decode(logs[0].data, (uint256)), 1000 * SPACE_PRICE, "with its money");
    }

    function test_anyone_may_buy_for_a_did() public {
        createDid(BUYER_KEY, ID);
        market.buyForDid(Quota.Traffic, 5, ID);
        equal(market.trafficPayInfo(buyer).sizeByte, 5, "for its master address");
        string memory unknown = "ff23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidUnknown.selector, unknown));
        market.buyForDid(Quota.Traffic, 5, unknown);
        bytes32 digest = MessageHashUtils.toEthSignedMessageHash(DidMessages.deactivateDid(ID, 1));
        didProxy.deactivateDID(ID, true, sign(BUYER_KEY, digest));
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidDeactivated.selector, ID));
        market.buyForDid(Quota.Traffic, 5, ID);
    }

    function test_a_permit_pays_and_a_used_one_does_no_harm() public {
        token.transfer(buyer, 10 * SPACE_PRICE);
        (uint8 v, bytes32 r, bytes32 s) = _permit(10 * SPACE_PRICE);
        token.permit(buyer, address(spacePay), 10 * SPACE_PRICE, block.timestamp, v, r, s);
        vm.prank(buyer);
        market.buyWithPermit(Quota.Space, 10, buyer, 10 * SPACE_PRICE, block.timestamp, v, r, s);
        equal(market.spacePayInfo(buyer).sizeByte, 10, "bought");
    }

    function test_a_price_that_changed_meanwhile_takes_no_more_than_the_limit() public {
        token.transfer(buyer, 10 * SPACE_PRICE);
        (uint8 v, bytes32 r, bytes32 s) = _permit(10 * SPACE_PRICE);
        market.announceTerms(MarketTerms(SPACE_PRICE + 1, 1, seller));
        vm.roll(block.number + DELAY_BLOCKS);
        uint256 deadline = block.timestamp;
        vm.warp(block.timestamp + DELAY_SECONDS);
        vm.expectRevert(
            abi.encodeWithSelector(SpaceMarket.PriceAboveLimit.selector, 10 * (SPACE_PRICE + 1), 10 * SPACE_PRICE)
        );
        vm.prank(buyer);
        market.buyWithPermit(Quota.Space, 10, buyer, 10 * SPACE_PRICE, deadline, v, r, s);
        vm.warp(deadline);
        vm.prank(buyer);
        market.buyWithPermit(Quota.Space, 5, buyer, 10 * SPACE_PRICE, deadline, v, r, s);
        equal(market.spacePayInfo(buyer).sizeByte, 5, "what costs less is bought");
    }

    function test_a_signed_purchase_is_submitted_by_anyone_and_counts_once() public {
        token.transfer(buyer, 100 * SPACE_PRICE);
        vm.prank(buyer);
        token.approve(address(spacePay), type(uint256).max);
        Purchase memory purchase = Purchase(buyer, buyer, 10, 10 * SPACE_PRICE, 0, uint64(block.timestamp));
        bytes memory signature = sign(BUYER_KEY, digestOf(_purchaseStruct(purchase), address(spacePay)));
        vm.expectRevert();
        market.buySigned(Quota.Traffic, purchase, signature);
        market.buySigned(Quota.Space, purchase, signature);
        equal(market.spacePayInfo(buyer).sizeByte, 10, "bought");
        vm.expectRevert(abi.encodeWithSelector(QuotaPay.StalePurchase.selector, buyer, 0, 1));
        market.buySigned(Quota.Space, purchase, signature);
        purchase = Purchase(buyer, buyer, 10, 10 * SPACE_PRICE - 1, 1, uint64(block.timestamp));
        vm.expectRevert(
            abi.encodeWithSelector(QuotaPay.PriceAboveLimit.selector, 10 * SPACE_PRICE, 10 * SPACE_PRICE - 1)
        );
        market.buySigned(Quota.Space, purchase, signature);
        purchase = Purchase(buyer, address(this), 10, 10 * SPACE_PRICE, 1, uint64(block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(QuotaPay.NotSignedBy.selector, buyer));
        market.buySigned(Quota.Space, purchase, signature);
        passTime(1, 0);
        vm.expectRevert(abi.encodeWithSelector(QuotaPay.SubmittedTooLate.selector, purchase.deadline, block.timestamp));
        market.buySigned(Quota.Space, purchase, signature);
    }

    function test_only_governance_grants_and_announces_and_a_grant_has_a_reason() public {
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, buyer);
        vm.expectRevert(refusal);
        vm.prank(buyer);
        market.grant(Quota.Space, buyer, 1, "me");
        vm.expectRevert(refusal);
        vm.prank(buyer);
        market.grantToDid(Quota.Space, ID, 1, "me");
        vm.expectRevert(refusal);
        vm.prank(buyer);
        market.announceTerms(MarketTerms(1, 1, buyer));
        vm.expectRevert(abi.encodeWithSelector(SpaceMarket.ReasonInvalid.selector, 0, 256));
        market.grant(Quota.Space, buyer, 1, "");
        vm.expectRevert(abi.encodeWithSelector(SpaceMarket.ReasonInvalid.selector, 257, 256));
        market.grant(Quota.Space, buyer, 1, string(new bytes(257)));
        createDid(BUYER_KEY, ID);
        market.grantToDid(Quota.Traffic, ID, 9, "by DID");
        equal(market.trafficPayInfo(buyer).freeByte, 9, "granted");
    }

    function test_nobody_but_the_market_moves_money_into_quota() public {
        bytes memory refusal = abi.encodeWithSelector(QuotaPay.NotMarket.selector, address(this));
        vm.expectRevert(refusal);
        spacePay.buy(address(this), buyer, 1, 1, 1);
        vm.expectRevert(refusal);
        spacePay.grant(buyer, 1, 1);
        vm.expectRevert(refusal);
        spacePay.usePermit(buyer, 1, 1, 27, bytes32(0), bytes32(0));
        vm.expectRevert(refusal);
        spacePay.buySigned(Purchase(buyer, buyer, 1, 1, 0, 1), "", 0, 1);
    }

    function test_prices_of_nothing_and_no_seller_are_refused() public {
        MarketTerms[3] memory bad =
            [MarketTerms(0, 1, seller), MarketTerms(1, 0, seller), MarketTerms(1, 1, address(0))];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(SpaceMarket.TermsMissing.selector);
            market.announceTerms(bad[i]);
        }
        vm.expectRevert(SpaceMarket.TermsMissing.selector);
        new SpaceMarket(address(governance), spacePay, trafficPay, accountDid, MarketTerms(1, 1, seller), Lock(0, 0), 0);
    }

    function test_an_announcement_before_another_counts_once_its_time_is_over() public {
        market.announceTerms(MarketTerms(5, 6, seller));
        passTime(DELAY_SECONDS, DELAY_BLOCKS);
        market.announceTerms(MarketTerms(8, 9, seller));
        equal(market.spacePrice(), 5, "the first");
        equal(market.trafficPrice(), 6, "in force");
        (MarketTerms memory announced,,,) = market.announced();
        equal(announced.spacePrice, 8, "the second is announced");
        passTime(DELAY_SECONDS, DELAY_BLOCKS);
        equal(market.spacePrice(), 8, "and counts after its own delay");
    }

    function test_a_token_that_calls_back_is_paid_once() public {
        HostileToken hostile = new HostileToken();
        QuotaPay pay = new QuotaPay(IERC20(address(hostile)), IMarket(address(this)));
        pay.buy(address(this), address(hostile), 1, 5, uint64(block.timestamp));
        pay.buy(address(this), buyer, 1, 5, uint64(block.timestamp));
        passTime(1, 1);
        pay.end(address(hostile));
        hostile.aim(address(pay), abi.encodeCall(QuotaPay.withdraw, ()));
        vm.prank(address(hostile));
        pay.withdraw();
        check(!hostile.succeeded(), "the second withdrawal inside the first fails");
        equal(pay.total(), 5, "the other's stays");
    }

    function testFuzz_cashing_in_any_steps_pays_exactly_what_was_paid_in(
        uint32 paid,
        uint32 free,
        uint32[6] memory steps
    ) public {
        vm.assume(paid > 0);
        market.buySpace(paid, 1, buyer);
        if (free > 0) market.grant(Quota.Space, buyer, free, "fuzz");
        for (uint256 nonce = 0; nonce < steps.length; ++nonce) {
            PayInfo memory info = market.spacePayInfo(buyer);
            uint256 left = uint256(info.sizeByte) + info.freeByte;
            if (left == 0) break;
            _cash(spacePay, nonce, uint64(1 + steps[nonce] % left));
            info = market.spacePayInfo(buyer);
            equal(spacePay.withdrawableOf(seller) + info.balance, uint256(paid) * SPACE_PRICE, "conserved");
            if (info.sizeByte == 0) equal(info.balance, 0, "no money is left without bytes");
        }
    }

    function _cash(QuotaPay pay, uint256 nonce, uint64 sizeByte) private {
        bytes memory signature = voucher(pay, BUYER_KEY, nonce, sizeByte);
        vm.prank(seller);
        pay.cash(buyer, nonce, sizeByte, signature);
    }

    function _voucherStruct(address owner, address to, uint256 nonce, uint64 sizeByte) private pure returns (bytes32) {
        bytes32 typeHash = keccak256("QuotaVoucher(address buyer,address seller,uint256 nonce,uint64 sizeByte)");
        return keccak256(abi.encode(typeHash, owner, to, nonce, sizeByte));
    }

    function _purchaseStruct(Purchase memory purchase) private pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Purchase(address payer,address buyer,uint64 sizeByte,uint256 maxAtto,uint256 nonce,uint64 deadline)"
        );
        return keccak256(abi.encode(typeHash, purchase));
    }

    function _permit(uint256 amount) private view returns (uint8, bytes32, bytes32) {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash =
            keccak256(abi.encode(typeHash, buyer, address(spacePay), amount, token.nonces(buyer), block.timestamp));
        return vm.sign(BUYER_KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
    }
}
