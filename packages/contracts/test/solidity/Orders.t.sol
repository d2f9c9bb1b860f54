// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Orders} from "../../src/Orders.sol";
import {EpochClock} from "../../src/EpochClock.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {OrderBook} from "../../src/libraries/OrderBook.sol";
import {OrderMath} from "../../src/libraries/OrderMath.sol";
import {AmendmentTerms, OrderLengths, OrderTerms} from "../../src/types/OrderTypes.sol";
import {AccountState, Role} from "../../src/types/RoleTypes.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";

contract OrdersTest is OrderNetwork {
    function test_an_order_locks_size_times_price_times_time_with_five_percent_on_top() public {
        open(GIB, 101, 111);
        uint256 income = uint256(PRICE) * EPOCH_SECONDS * 10;
        equal(escrow.lockedBy(address(orders)), income * 105 / 100, "locked");
        equal(escrow.balanceOf(user), ESCROWED - income * 105 / 100, "from the user's balance");
        equal(orders.liableBytes(provider), GIB, "the provider answers for it");
    }

    function test_settling_pays_provider_keepers_and_foundation_exactly_what_was_locked() public {
        uint64 id = open(GIB, 101, 111);
        closeEpochsBefore(111);
        equal(settleAll(id), 111, "settled to its end");
        uint256 income = uint256(PRICE) * EPOCH_SECONDS * 10;
        equal(escrow.balanceOf(provider), income, "provider");
        equal(orders.keeperPool(1), income * 4 / 100, "keepers");
        equal(escrow.balanceOf(FOUNDATION), income / 100, "foundation");
        equal(getOrder(id).locked, 0, "nothing stays locked");
        equal(orders.liableBytes(provider), 0, "nor is the provider liable any more");
        equal(orders.getSegments(id).length, 0, "nor are segments kept");
        equal(settleAll(id), 111, "again settles nothing");
        equal(escrow.balanceOf(provider), income, "and pays nothing");
    }

    function test_an_epoch_is_paid_only_once_blocks_and_seconds_of_its_window_are_over() public {
        uint64 id = open(GIB, 101, 111);
        goToEpoch(102);
        orders.pinEpoch();
        equal(settleAll(id), 101, "just ended");
        passTime(DISPUTE_SECONDS, DISPUTE_BLOCKS - 1);
        equal(settleAll(id), 101, "a block too early");
        vm.warp(block.timestamp - 1);
        vm.roll(block.number + 1);
        equal(settleAll(id), 101, "a second too early");
        vm.warp(block.timestamp + 1);
        equal(settleAll(id), 102, "one epoch");
    }

    function test_a_stopped_chain_closes_no_window() public {
        uint64 id = open(GIB, 101, 111);
        vm.warp(block.timestamp + 365 days);
        equal(settleAll(id), 101, "time alone");
        vm.roll(block.number + 10_000);
        equal(settleAll(id), 101, "blocks without a pin that is old enough");
        passTime(DISPUTE_SECONDS, 0);
        equal(settleAll(id), 111, "both");
    }

    function test_on_a_young_chain_no_epoch_is_closed() public {
        vm.roll(DISPUTE_BLOCKS - 1);
        equal(orders.closedBefore(), 0, "too few blocks");
        vm.roll(DISPUTE_BLOCKS);
        vm.warp(DISPUTE_SECONDS - 1);
        equal(orders.closedBefore(), 0, "too few seconds");
    }

    function test_settling_goes_in_bounded_steps() public {
        uint64 id = open(1, 101, 101 + 5000);
        closeEpochsBefore(101 + 5000);
        equal(orders.settle(id, 7), 108, "as many as asked for");
        equal(settleAll(id), 108 + 2048, "as many as one call may");
        equal(settleAll(id), 108 + 4096, "and on");
        equal(settleAll(id), 5101, "to the end");
    }

    function test_an_order_at_no_price_moves_no_money() public {
        OrderTerms memory order = terms(GIB, 101, 111);
        order.priceAttoPerGiBSecond = 0;
        uint64 id = submit(order);
        closeEpochsBefore(111);
        settleAll(id);
        equal(escrow.balanceOf(user), ESCROWED, "free");
        equal(escrow.balanceOf(provider) + escrow.balanceOf(FOUNDATION), 0, "and nobody's income");
        equal(orders.liableBytes(provider), 0, "over all the same");
    }

    function test_failed_epochs_bring_no_income_and_come_back_to_the_user() public {
        uint64 id = open(GIB, 250, 260);
        goToEpoch(256);
        vm.prank(JUDGE);
        orders.setFailed(provider, 255, true);
        vm.prank(JUDGE);
        orders.setFailed(provider, 256, true);
        vm.prank(JUDGE);
        orders.setFailed(provider, 254, true);
        vm.prank(JUDGE);
        orders.setFailed(provider, 254, false);
        equal(orders.failedEpochs(provider, 0), 1 << 255, "the last bit of a word");
        equal(orders.failedEpochs(provider, 1), 1, "the first of the next");
        uint256 before = escrow.balanceOf(user);
        closeEpochsBefore(260);
        settleAll(id);
        uint256 income = uint256(PRICE) * EPOCH_SECONDS;
        equal(escrow.balanceOf(provider), income * 8, "eight of ten");
        equal(escrow.balanceOf(user) - before, income * 2, "two came back");
        equal(orders.keeperPool(1), income * 10 * 4 / 100, "the keepers gain nothing by failing them");
    }

    function test_only_the_judge_fails_epochs_and_only_while_their_window_is_open() public {
        vm.expectRevert(abi.encodeWithSelector(Orders.NotJudge.selector, address(this)));
        orders.setFailed(provider, 100, true);
        closeEpochsBefore(110);
        (uint64 closed, uint64 current) = (orders.closedBefore(), orders.currentEpoch());
        equal(closed, 110, "closed");
        vm.expectRevert(abi.encodeWithSelector(Orders.EpochNotOpen.selector, 109, closed, current));
        vm.prank(JUDGE);
        orders.setFailed(provider, 109, true);
        vm.expectRevert(abi.encodeWithSelector(Orders.EpochNotOpen.selector, current + 1, closed, current));
        vm.prank(JUDGE);
        orders.setFailed(provider, current + 1, true);
    }

    function test_an_order_that_comes_late_begins_with_the_next_epoch() public {
        uint64 id = open(GIB, 50, 111);
        equal(getOrder(id).start, 101, "not in the past");
        equal(getOrder(id).locked, uint256(PRICE) * EPOCH_SECONDS * 10 * 105 / 100, "and locks no more");
        OrderTerms memory order = terms(GIB, 50, 101);
        (bytes memory a, bytes memory b) = (signOrder(USER_KEY, order), signOrder(PROVIDER_KEY, order));
        vm.expectRevert(abi.encodeWithSelector(Orders.EpochsInvalid.selector, 101, 101));
        orders.open(order, a, b);
    }

    function test_growing_and_renewing_take_effect_with_the_next_epoch() public {
        uint64 id = open(GIB, 101, 111);
        goToEpoch(104);
        amend(id, 2 * GIB, 121);
        uint256 rate = uint256(PRICE) * EPOCH_SECONDS;
        equal(getOrder(id).locked, (4 * rate + 16 * 2 * rate) * 105 / 100, "four epochs of one, sixteen of two GiB");
        equal(orders.liableBytes(provider), 2 * GIB, "liable at once");
        closeEpochsBefore(121);
        settleAll(id);
        equal(escrow.balanceOf(provider), 36 * rate, "paid by segment");
    }

    function test_several_changes_in_one_epoch_leave_the_last() public {
        uint64 id = open(GIB, 101, 111);
        amend(id, 3 * GIB, 121);
        amend(id, 2 * GIB, 106);
        equal(orders.getSegments(id).length, 1, "one segment");
        equal(getOrder(id).locked, 10 * uint256(PRICE) * EPOCH_SECONDS * 105 / 100, "five epochs of two GiB");
        equal(orders.liableBytes(provider), 3 * GIB, "liable for the largest until settled");
    }

    function test_the_user_alone_shrinks_and_gets_the_rest_back_at_once() public {
        uint64 id = open(2 * GIB, 101, 111);
        goToEpoch(104);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotUser.selector, provider, user));
        vm.prank(provider);
        orders.shrink(id, GIB);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSmaller.selector, id, 2 * GIB, 2 * GIB));
        vm.prank(user);
        orders.shrink(id, 2 * GIB);
        uint256 before = escrow.balanceOf(user);
        vm.prank(user);
        orders.shrink(id, GIB);
        uint256 rate = uint256(PRICE) * EPOCH_SECONDS;
        equal(escrow.balanceOf(user) - before, 6 * rate * 105 / 100, "six epochs of one GiB");
        equal(orders.liableBytes(provider), 2 * GIB, "liable until the larger size is beyond dispute");
        closeEpochsBefore(106);
        settleAll(id);
        equal(orders.liableBytes(provider), GIB, "and for the smaller one from then on");
    }

    function test_shrinking_to_nothing_ends_an_order_with_the_epoch() public {
        uint64 id = open(GIB, 101, 111);
        goToEpoch(104);
        vm.prank(user);
        orders.shrink(id, 0);
        equal(getOrder(id).end, 105, "the epoch under way is paid");
        closeEpochsBefore(105);
        settleAll(id);
        equal(escrow.balanceOf(provider), 4 * uint256(PRICE) * EPOCH_SECONDS, "four epochs");
        equal(getOrder(id).locked, 0, "nothing left");
        vm.expectRevert(abi.encodeWithSelector(Orders.OrderOver.selector, id, 105));
        vm.prank(user);
        orders.shrink(id, 0);
    }

    function test_an_order_that_is_ended_before_it_began_costs_nothing() public {
        uint64 id = open(GIB, 110, 120);
        vm.prank(user);
        orders.shrink(id, 0);
        equal(escrow.balanceOf(user), ESCROWED, "all came back");
        equal(orders.liableBytes(provider), 0, "nobody is liable");
        equal(settleAll(id), 110, "nothing to settle");
        amend(id, GIB, 115);
        equal(getOrder(id).locked, 5 * uint256(PRICE) * EPOCH_SECONDS * 105 / 100, "both may revive it");
    }

    function test_what_is_over_is_not_renewed() public {
        uint64 id = open(GIB, 101, 103);
        goToEpoch(102);
        amend(id, GIB, 104);
        goToEpoch(104);
        AmendmentTerms memory change = amendment(id, GIB, 120);
        vm.expectRevert(abi.encodeWithSelector(Orders.OrderOver.selector, id, 104));
        vm.prank(user);
        this.amendOutside(change);
    }

    function test_changes_that_wait_for_settlement_are_bounded() public {
        uint64 id = open(1000, 101, 200);
        for (uint64 i = 1; i < OrderBook.MAX_SEGMENTS; ++i) {
            goToEpoch(100 + i);
            vm.prank(user);
            orders.shrink(id, 1000 - i);
        }
        goToEpoch(130);
        vm.expectRevert(abi.encodeWithSelector(OrderBook.TooManyChanges.selector, id, OrderBook.MAX_SEGMENTS));
        vm.prank(user);
        orders.shrink(id, 1);
        passTime(DISPUTE_SECONDS, DISPUTE_BLOCKS);
        orders.pinEpoch();
        settleAll(id);
        vm.prank(user);
        orders.shrink(id, 1);
    }

    function test_both_must_be_active_in_their_roles() public {
        OrderTerms memory order = terms(GIB, 101, 111);
        roles.ban(provider);
        (bytes memory a, bytes memory b) = (signOrder(USER_KEY, order), signOrder(PROVIDER_KEY, order));
        vm.expectRevert(
            abi.encodeWithSelector(Orders.NotServing.selector, provider, Role.Provider, AccountState.Banned)
        );
        orders.open(order, a, b);
        roles.unban(provider);
        (order.user, order.provider) = (provider, user);
        (a, b) = (signOrder(PROVIDER_KEY, order), signOrder(USER_KEY, order));
        vm.expectRevert(
            abi.encodeWithSelector(Orders.NotServing.selector, provider, Role.Provider, AccountState.Active)
        );
        orders.open(order, a, b);
    }

    function test_no_provider_promises_more_than_it_offers() public {
        uint64 id = open(60 * GIB, 101, 111);
        OrderTerms memory order = terms(41 * GIB, 101, 111);
        (bytes memory a, bytes memory b) = (signOrder(USER_KEY, order), signOrder(PROVIDER_KEY, order));
        vm.expectRevert(
            abi.encodeWithSelector(Orders.CapacityExceeded.selector, provider, 101 * GIB, CAPACITY_GIB * GIB)
        );
        orders.open(order, a, b);
        amend(id, 100 * GIB, 111);
        vm.prank(provider);
        roles.setOffer(offer(1));
        amend(id, 90 * GIB, 111);
        equal(pledges.requirementOf(provider), BASE + 100 * RATE_PER_GIB, "what was promised stays pledged");
    }

    function test_a_ban_stops_new_orders_and_confiscates_nothing() public {
        uint64 id = open(GIB, 101, 111);
        roles.ban(provider);
        roles.ban(user);
        closeEpochsBefore(106);
        settleAll(id);
        vm.prank(user);
        orders.shrink(id, 0);
        uint256 earned = escrow.balanceOf(provider);
        check(earned > 0, "earned");
        vm.prank(provider);
        escrow.withdraw(provider, earned);
        uint256 free = escrow.balanceOf(user);
        vm.prank(user);
        escrow.withdraw(user, free);
        equal(token.balanceOf(user), free, "the user too");
    }

    function test_who_has_left_stays_pledged_for_what_is_not_beyond_dispute() public {
        open(GIB, 101, 140);
        vm.prank(provider);
        roles.startExit();
        goToEpoch(120);
        vm.prank(provider);
        roles.finishExit();
        equal(pledges.requirementOf(provider), BASE + RATE_PER_GIB, "liable for the order");
        closeEpochsBefore(140);
        settleAll(1);
        equal(pledges.requirementOf(provider), 0, "free");
    }

    function test_pausing_stops_new_orders_and_nothing_else() public {
        uint64 id = open(2 * GIB, 101, 111);
        orders.pause();
        OrderTerms memory order = terms(GIB, 101, 111);
        vm.expectRevert(Orders.OrdersPaused.selector);
        orders.open(order, "", "");
        AmendmentTerms memory change = amendment(id, GIB, 111);
        vm.expectRevert(Orders.OrdersPaused.selector);
        this.amendOutside(change);
        vm.prank(user);
        orders.shrink(id, GIB);
        closeEpochsBefore(111);
        settleAll(id);
        uint256 earned = escrow.balanceOf(provider);
        vm.prank(provider);
        escrow.withdraw(provider, earned);
        orders.unpause();
        open(GIB, 0, orders.currentEpoch() + 5);
    }

    function test_keepers_share_what_they_earned_and_the_rest_waits() public {
        vm.expectRevert(abi.encodeWithSelector(Orders.NothingToShare.selector, 1));
        orders.shareKeeperFees(1);
        uint64 id = open(GIB, 101, 111);
        closeEpochsBefore(111);
        settleAll(id);
        vm.expectRevert(abi.encodeWithSelector(Orders.NothingToShare.selector, 1));
        orders.shareKeeperFees(1);
        for (uint160 i = 1; i <= 7; ++i) {
            registerKeeper(address(i << 100));
            pledges.deposit(address(i << 100), KEEPER);
        }
        uint256 pool = orders.keeperPool(1);
        orders.shareKeeperFees(1);
        equal(escrow.balanceOf(address(uint160(7) << 100)), pool / 7, "a seventh");
        equal(orders.keeperPool(1), pool % 7, "the rest");
        equal(escrow.lockedBy(address(orders)), pool % 7, "stays locked");
    }

    function test_lengths_of_nothing_are_refused() public {
        IAccounts accounts = orders.ROLES();
        vm.expectRevert(EpochClock.LengthMissing.selector);
        new Orders(address(governance), escrow, accounts, FOUNDATION, JUDGE, OrderLengths(0, 1, 1, 1));
        vm.expectRevert(EpochClock.LengthMissing.selector);
        new Orders(address(governance), escrow, accounts, FOUNDATION, JUDGE, OrderLengths(1, 0, 1, 1));
    }

    function test_what_does_not_exist_is_named() public {
        vm.expectRevert(abi.encodeWithSelector(OrderBook.UnknownOrder.selector, 1));
        orders.getOrder(1);
        vm.expectRevert(abi.encodeWithSelector(OrderBook.UnknownOrder.selector, 0));
        orders.getOrder(0);
        OrderTerms memory order = terms(0, 101, 111);
        (bytes memory a, bytes memory b) = (signOrder(USER_KEY, order), signOrder(PROVIDER_KEY, order));
        vm.expectRevert(Orders.EmptyOrder.selector);
        orders.open(order, a, b);
    }

    function testFuzz_prices_round_against_who_gains(uint64 sizeBytes, uint128 price) public view {
        uint256 bytesAndSeconds = uint256(sizeBytes) * EPOCH_SECONDS;
        vm.assume(price < type(uint128).max / 200 / (bytesAndSeconds / GIB + 1));
        (uint128 income, uint128 total) = orders.quote(sizeBytes, price);
        uint256 exact = bytesAndSeconds * price;
        check(uint256(income) * GIB <= exact, "the provider never gets more than the price");
        check(exact - uint256(income) * GIB < GIB, "and less than one attomemo less");
        check(uint256(total) * GIB * 100 >= exact * 105, "the user never pays less than 105 %");
        check(uint256(total) * GIB * 100 - exact * 105 < GIB * 100, "and less than one attomemo more");
        uint256 foundation = total - income - OrderMath.keepersOf(income);
        check(foundation * 100 <= uint256(income) + 300, "the foundation gets 1 % and less than three attomemo");
    }

    function testFuzz_any_order_is_conserved_to_the_attomemo(uint32 size, uint8 length, uint8 steps, uint256 failures)
        public
    {
        vm.assume(size > 0 && length > 0);
        uint64 id = open(size, 101, 101 + uint64(length));
        uint256 locked = escrow.lockedBy(address(orders));
        for (uint64 epoch = 101; epoch < 101 + uint64(length); ++epoch) {
            if (failures & (1 << (epoch % 256)) == 0) continue;
            goToEpoch(epoch);
            vm.prank(JUDGE);
            orders.setFailed(provider, epoch, true);
        }
        closeEpochsBefore(101 + uint64(length));
        while (getOrder(id).settledTo != getOrder(id).end) orders.settle(id, uint64(steps) + 1);
        uint256 paid = escrow.balanceOf(provider) + escrow.balanceOf(FOUNDATION) + orders.keeperPool(1);
        equal(paid + escrow.balanceOf(user), ESCROWED, "nothing is lost or made");
        check(paid <= locked, "nobody is paid beyond the lock");
        equal(escrow.lockedBy(address(orders)), orders.keeperPool(1), "nothing but the keepers' stays locked");
    }

    function amendOutside(AmendmentTerms memory change) external {
        submitAmendment(change);
    }
}
