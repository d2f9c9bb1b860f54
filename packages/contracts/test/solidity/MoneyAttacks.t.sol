// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Orders} from "../../src/Orders.sol";
import {Pledges} from "../../src/Pledges.sol";
import {Reads} from "../../src/Reads.sol";
import {ICommitments} from "../../src/interfaces/ICommitments.sol";
import {IPayees} from "../../src/interfaces/IPayees.sol";
import {IRoles} from "../../src/interfaces/IRoles.sol";
import {OrderTypedData} from "../../src/libraries/OrderTypedData.sol";
import {AmendmentTerms, OrderTerms} from "../../src/types/OrderTypes.sol";
import {Lock, PledgeTerms} from "../../src/types/RoleTypes.sol";
import {HostileToken} from "./support/Hostile.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";

contract MoneyAttacksTest is OrderNetwork {
    uint256 private constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function test_a_read_voucher_counts_on_its_chain_in_its_contract_and_form_alone() public {
        uint64 id = _allowed();
        bytes memory voucher = signRead(USER_KEY, id, 0, 400);
        bytes32 structHash = OrderTypedData.readVoucher(id, user, 0, 400);
        _expectVoucherRefused(id, sign(USER_KEY, digestOf(structHash, address(orders))));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(USER_KEY, digestOf(structHash, address(reads)));
        _expectVoucherRefused(id, abi.encodePacked(r, CURVE_ORDER - uint256(s), v == 27 ? 28 : 27));
        bytes32 set = OrderTypedData.setCommitment(id, 0, bytes32(0), 400, 0);
        _expectVoucherRefused(id, sign(USER_KEY, digestOf(set, address(reads))));
        vm.chainId(986);
        _expectVoucherRefused(id, voucher);
        vm.chainId(31337);
        reads.redeem(id, user, 400, voucher);
        equal(escrow.incomeOf(provider), 1600, "where it was signed for it counts");
    }

    function test_an_amendment_for_another_chain_changes_nothing() public {
        uint64 id = open(GIB, 101, 111);
        AmendmentTerms memory change = amendment(id, 2 * GIB, 111);
        bytes32 digest = digestOf(OrderTypedData.amendment(change), address(orders));
        (bytes memory a, bytes memory b) = (sign(USER_KEY, digest), sign(PROVIDER_KEY, digest));
        vm.chainId(986);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, user));
        orders.amend(change, a, b);
    }

    function test_whoever_of_both_calls_need_not_sign_but_the_other_must() public {
        OrderTerms memory order = terms(GIB, 101, 111);
        bytes memory byProvider = signOrder(PROVIDER_KEY, order);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, provider));
        vm.prank(user);
        orders.open(order, "", "");
        vm.prank(user);
        orders.open(order, "", byProvider);
        AmendmentTerms memory change = amendment(1, 2 * GIB, 111);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, user));
        vm.prank(provider);
        orders.amend(change, "", "");
        bytes memory byUser = sign(USER_KEY, digestOf(OrderTypedData.amendment(change), address(orders)));
        vm.prank(provider);
        orders.amend(change, byUser, "");
        equal(getOrder(1).seq, 2, "changed");
    }

    /// @dev A chain that makes blocks quickly ends no wait: of both halves of a lock, blocks alone are not enough.
    function test_blocks_without_their_seconds_open_no_lock() public {
        uint64 id = _allowed();
        vm.prank(user);
        reads.announceClose(id);
        address cold = address(0xc01d);
        pledges.deposit(cold, 5);
        vm.prank(cold);
        pledges.announceWithdrawal(cold, 5);
        (uint256 time, uint256 height) = (block.timestamp + LOCK_SECONDS, block.number + LOCK_BLOCKS);
        passTime(LOCK_SECONDS - 1, LOCK_BLOCKS);
        vm.expectRevert(abi.encodeWithSelector(Reads.LockNotOver.selector, time, height));
        vm.prank(user);
        reads.close(id);
        vm.expectRevert(abi.encodeWithSelector(Pledges.LockNotOver.selector, time, height));
        vm.prank(cold);
        pledges.withdraw(cold);
        passTime(1, 0);
        vm.prank(user);
        reads.close(id);
        vm.prank(cold);
        pledges.withdraw(cold);
        equal(token.balanceOf(cold), 5, "both are over");
    }

    function test_a_token_that_calls_back_takes_a_pledge_once() public {
        HostileToken hostile = new HostileToken();
        address thief = address(hostile);
        Pledges mine = new Pledges(
            IERC20(thief),
            IRoles(address(roles)),
            ICommitments(address(orders)),
            IPayees(address(escrow)),
            SLASHER,
            PledgeTerms(BASE, RATE_PER_GIB, KEEPER, Lock(0, 0))
        );
        mine.deposit(thief, 5);
        mine.deposit(user, 5);
        hostile.aim(address(mine), abi.encodeCall(Pledges.withdraw, (thief)));
        vm.prank(thief);
        mine.announceWithdrawal(thief, 5);
        vm.prank(thief);
        mine.withdraw(thief);
        check(!hostile.succeeded(), "the second withdrawal inside the first fails");
        equal(mine.totalPledged(), 5, "others keep theirs");
        equal(mine.pledgeOf(user), 5, "to the attomemo");
    }

    function test_a_nonce_is_cancelled_once_wherever_it_stands() public {
        vm.prank(user);
        orders.cancelNonce(256);
        check(!orders.isNonceUsed(user, 0), "another word");
        check(!orders.isNonceUsed(provider, 256), "another account");
        check(orders.isNonceUsed(user, 256), "this one");
    }

    function _allowed() private returns (uint64 id) {
        id = open(GIB, 101, 111);
        vm.prank(user);
        reads.allow(id, 1000, 4);
    }

    function _expectVoucherRefused(uint64 id, bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(Reads.NotSignedBy.selector, user));
        reads.redeem(id, user, 400, signature);
    }
}
