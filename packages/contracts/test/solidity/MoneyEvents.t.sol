// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {EpochClock} from "../../src/EpochClock.sol";
import {Escrow} from "../../src/Escrow.sol";
import {Orders} from "../../src/Orders.sol";
import {Pledges} from "../../src/Pledges.sol";
import {Reads} from "../../src/Reads.sol";
import {OrderTerms} from "../../src/types/OrderTypes.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";

/// @notice Balances follow from events alone: every movement of money in escrow and pledges says from whom, to whom and how much.
contract MoneyEventsTest is OrderNetwork {
    address private constant COLD = address(0xc01d);
    uint256 private constant RATE = uint256(PRICE) * EPOCH_SECONDS;

    function test_deposits_withdrawals_and_payees() public {
        vm.expectEmit(address(escrow));
        emit Escrow.Deposited(provider, address(this), 7, 7);
        escrow.deposit(provider, 7);
        vm.expectEmit(address(escrow));
        emit Escrow.PayeeSet(provider, COLD, provider);
        vm.prank(provider);
        escrow.setPayee(provider, COLD);
        vm.expectEmit(address(escrow));
        emit Escrow.Withdrawn(provider, COLD, 3, 4);
        vm.prank(provider);
        escrow.withdraw(provider, 3);
    }

    function test_an_order_from_opening_to_settlement() public {
        OrderTerms memory order = terms(2 * GIB, 101, 111);
        vm.expectEmit(address(orders));
        emit Orders.OrderOpened(1, user, provider, 101, order);
        vm.expectEmit(address(orders));
        emit EpochClock.EpochPinned(100, uint64(block.timestamp));
        vm.expectEmit(address(escrow));
        emit Escrow.Locked(address(orders), user, 20 * RATE * 105 / 100);
        submit(order);
        vm.expectEmit(address(orders));
        emit Orders.OrderChanged(1, 2, 101, 3 * GIB, PRICE, 111);
        vm.expectEmit(address(escrow));
        emit Escrow.Locked(address(orders), user, 10 * RATE * 105 / 100);
        amend(1, 3 * GIB, 111);
        vm.expectEmit(address(orders));
        emit Orders.OrderChanged(1, 3, 101, GIB, PRICE, 111);
        vm.expectEmit(address(escrow));
        emit Escrow.Released(address(orders), user, 20 * RATE * 105 / 100);
        vm.prank(user);
        orders.shrink(1, GIB);
        goToEpoch(105);
        vm.expectEmit(address(orders));
        emit Orders.EpochFailed(provider, 104, true);
        vm.prank(JUDGE);
        orders.setFailed(provider, 104, true);
        closeEpochsBefore(111);
        vm.expectEmit(address(orders));
        emit Orders.OrderSettled(1, 111, 9 * RATE, RATE, RATE * 4 / 10, RATE / 10);
        vm.expectEmit(address(escrow));
        emit Escrow.Released(address(orders), user, RATE);
        vm.expectEmit(address(escrow));
        emit Escrow.Paid(address(orders), provider, 9 * RATE);
        vm.expectEmit(address(escrow));
        emit Escrow.Paid(address(orders), FOUNDATION, RATE / 10);
        settleAll(1);
        registerKeeper(COLD);
        pledges.deposit(COLD, KEEPER);
        vm.expectEmit(address(orders));
        emit Orders.KeepersPaid(1, 1, RATE * 4 / 10);
        vm.expectEmit(address(escrow));
        emit Escrow.Paid(address(orders), COLD, RATE * 4 / 10);
        orders.shareKeeperFees(1);
    }

    function test_what_stops_orders() public {
        vm.expectEmit(address(orders));
        emit Orders.NonceCancelled(user, 300);
        vm.prank(user);
        orders.cancelNonce(300);
        vm.expectEmit(address(orders));
        emit Orders.PausedSet(true);
        orders.pause();
        vm.expectEmit(address(orders));
        emit Orders.PausedSet(false);
        orders.unpause();
    }

    function test_reads_from_allowance_to_close() public {
        uint64 id = open(GIB, 101, 111);
        vm.expectEmit(address(reads));
        emit Reads.ReadsAllowed(id, user, 0, 1000, 4);
        vm.expectEmit(address(escrow));
        emit Escrow.Locked(address(reads), user, 4000);
        vm.prank(user);
        reads.allow(id, 1000, 4);
        vm.prank(user);
        reads.allow(id, 1, 4);
        equal(reads.getAllowance(id, user).bytesAllowed, 1001, "more is added");
        bytes memory voucher = signRead(USER_KEY, id, 0, 400);
        vm.expectEmit(address(reads));
        emit Reads.ReadsPaid(id, user, 0, 400, 1600);
        vm.expectEmit(address(escrow));
        emit Escrow.Paid(address(reads), provider, 1600);
        reads.redeem(id, user, 400, voucher);
        vm.expectEmit(address(reads));
        emit Reads.ReadsClosing(id, user, block.timestamp + LOCK_SECONDS, block.number + LOCK_BLOCKS);
        vm.prank(user);
        reads.announceClose(id);
        passTime(LOCK_SECONDS, LOCK_BLOCKS);
        vm.expectEmit(address(reads));
        emit Reads.ReadsClosed(id, user, 0, 2404);
        vm.expectEmit(address(escrow));
        emit Escrow.Released(address(reads), user, 2404);
        vm.prank(user);
        reads.close(id);
    }

    function test_pledges_from_deposit_to_slash() public {
        vm.expectEmit(address(pledges));
        emit Pledges.PledgeDeposited(COLD, address(this), 9, 9);
        pledges.deposit(COLD, 9);
        vm.expectEmit(address(pledges));
        emit Pledges.WithdrawalAnnounced(COLD, 4, block.timestamp + LOCK_SECONDS, block.number + LOCK_BLOCKS);
        vm.prank(COLD);
        pledges.announceWithdrawal(COLD, 4);
        vm.expectEmit(address(pledges));
        emit Pledges.WithdrawalCancelled(COLD);
        vm.prank(COLD);
        pledges.cancelWithdrawal(COLD);
        vm.prank(COLD);
        pledges.announceWithdrawal(COLD, 4);
        passTime(LOCK_SECONDS, LOCK_BLOCKS);
        vm.expectEmit(address(pledges));
        emit Pledges.PledgeWithdrawn(COLD, COLD, 4, 5);
        vm.prank(COLD);
        pledges.withdraw(COLD);
        vm.expectEmit(address(pledges));
        emit Pledges.PledgeSlashed(COLD, address(0xbe), 2, 3);
        vm.prank(SLASHER);
        pledges.slash(COLD, 2, address(0xbe));
    }
}
