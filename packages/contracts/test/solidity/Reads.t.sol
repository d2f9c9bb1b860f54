// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Reads} from "../../src/Reads.sol";
import {OrderBook} from "../../src/libraries/OrderBook.sol";
import {Offer} from "../../src/types/RoleTypes.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";

contract ReadsTest is OrderNetwork {
    uint128 private constant READ_PRICE = 4;
    uint64 private id;

    function setUp() public override {
        super.setUp();
        id = open(GIB, 101, 111);
        vm.prank(user);
        reads.allow(id, 1000, READ_PRICE);
    }

    function test_a_voucher_pays_what_was_read_and_a_later_one_the_difference() public {
        reads.redeem(id, user, 400, signRead(USER_KEY, id, 0, 400));
        equal(escrow.balanceOf(provider), 400 * READ_PRICE, "the first");
        reads.redeem(id, user, 1000, signRead(USER_KEY, id, 0, 1000));
        equal(escrow.balanceOf(provider), 1000 * READ_PRICE, "the rest");
        equal(escrow.lockedBy(address(reads)), 0, "nothing left");
    }

    function test_no_voucher_pays_twice_or_backwards_or_beyond_the_allowance() public {
        bytes memory four = signRead(USER_KEY, id, 0, 400);
        reads.redeem(id, user, 400, four);
        vm.expectRevert(abi.encodeWithSelector(Reads.VoucherNotNewer.selector, 400, 400));
        reads.redeem(id, user, 400, four);
        bytes memory three = signRead(USER_KEY, id, 0, 300);
        vm.expectRevert(abi.encodeWithSelector(Reads.VoucherNotNewer.selector, 300, 400));
        reads.redeem(id, user, 300, three);
        bytes memory more = signRead(USER_KEY, id, 0, 1001);
        vm.expectRevert(abi.encodeWithSelector(Reads.VoucherTooLarge.selector, 1001, 1000));
        reads.redeem(id, user, 1001, more);
    }

    function test_the_vouchers_of_one_allowance_pay_one_provider_only() public {
        address other = vm.addr(KEEPER_KEY);
        joinProvider(other);
        bytes memory voucher = signRead(USER_KEY, id, 0, 400);
        vm.prank(other);
        reads.redeem(id, user, 400, voucher);
        equal(escrow.balanceOf(other), 0, "whoever presents it");
        equal(escrow.balanceOf(provider), 400 * READ_PRICE, "the order's provider is paid");
        uint64 second = open(GIB, 101, 111);
        vm.expectRevert(abi.encodeWithSelector(Reads.NotSignedBy.selector, user));
        reads.redeem(second, user, 400, voucher);
    }

    function test_anyone_may_pay_for_reads_and_each_has_an_allowance_of_his_own() public {
        address payer = vm.addr(KEEPER_KEY);
        escrow.deposit(payer, 100);
        vm.prank(payer);
        reads.allow(id, 25, READ_PRICE);
        bytes memory voucher = signRead(KEEPER_KEY, id, 0, 25);
        vm.expectRevert(abi.encodeWithSelector(Reads.NotSignedBy.selector, user));
        reads.redeem(id, user, 25, voucher);
        reads.redeem(id, payer, 25, voucher);
        equal(escrow.balanceOf(payer), 0, "paid by who signed");
    }

    function test_a_price_is_agreed_once_and_never_above_the_payers_limit() public {
        vm.prank(provider);
        roles.setOffer(Offer(CAPACITY_GIB * GIB, 3, 5));
        vm.expectRevert(abi.encodeWithSelector(Reads.PriceAboveLimit.selector, 5, 4));
        vm.prank(user);
        reads.allow(id, 1, 4);
        vm.expectRevert(abi.encodeWithSelector(Reads.PriceDiffers.selector, 5, 4));
        vm.prank(user);
        reads.allow(id, 1, 5);
        reads.redeem(id, user, 10, signRead(USER_KEY, id, 0, 10));
        equal(escrow.balanceOf(provider), 40, "the agreed price");
        vm.expectRevert(Reads.EmptyAllowance.selector);
        vm.prank(user);
        reads.allow(id, 0, 5);
        vm.expectRevert(abi.encodeWithSelector(OrderBook.UnknownOrder.selector, 9));
        vm.prank(user);
        reads.allow(9, 1, 5);
    }

    function test_closing_leaves_the_provider_time_and_voids_old_vouchers() public {
        vm.expectRevert(abi.encodeWithSelector(Reads.NothingAnnounced.selector, user));
        vm.prank(user);
        reads.close(id);
        vm.prank(user);
        reads.announceClose(id);
        uint256 untilTime = block.timestamp + LOCK_SECONDS;
        uint256 untilBlock = block.number + LOCK_BLOCKS;
        vm.expectRevert(abi.encodeWithSelector(Reads.AllowanceClosing.selector, id, user));
        vm.prank(user);
        reads.announceClose(id);
        vm.expectRevert(abi.encodeWithSelector(Reads.AllowanceClosing.selector, id, user));
        vm.prank(user);
        reads.allow(id, 1, READ_PRICE);
        passTime(LOCK_SECONDS, LOCK_BLOCKS - 1);
        vm.expectRevert(abi.encodeWithSelector(Reads.LockNotOver.selector, untilTime, untilBlock));
        vm.prank(user);
        reads.close(id);
        reads.redeem(id, user, 400, signRead(USER_KEY, id, 0, 400));
        passTime(0, 1);
        uint256 before = escrow.balanceOf(user);
        vm.prank(user);
        reads.close(id);
        equal(escrow.balanceOf(user) - before, 600 * READ_PRICE, "what was not read");
        vm.prank(user);
        reads.allow(id, 1000, READ_PRICE);
        equal(reads.getAllowance(id, user).seq, 1, "a new one");
        bytes memory old = signRead(USER_KEY, id, 0, 900);
        vm.expectRevert(abi.encodeWithSelector(Reads.NotSignedBy.selector, user));
        reads.redeem(id, user, 900, old);
        vm.expectRevert(Reads.EmptyAllowance.selector);
        reads.announceClose(id);
        equal(reads.closing().waitBlocks, LOCK_BLOCKS, "the lock is told");
    }
}
