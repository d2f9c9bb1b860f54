// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Escrow} from "../../src/Escrow.sol";
import {Orders} from "../../src/Orders.sol";
import {OrderBook} from "../../src/libraries/OrderBook.sol";
import {OrderMath} from "../../src/libraries/OrderMath.sol";
import {OrderTypedData} from "../../src/libraries/OrderTypedData.sol";
import {AmendmentTerms, OrderTerms} from "../../src/types/OrderTypes.sol";
import {HostileWallet} from "./support/Hostile.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";

contract OrderAttacksTest is OrderNetwork {
    uint256 private constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function test_an_order_is_not_opened_twice() public {
        OrderTerms memory order = terms(GIB, 101, 111);
        submit(order);
        _expectRefused(order, abi.encodeWithSelector(OrderBook.NonceUsed.selector, user, order.nonce));
    }

    function test_what_was_signed_for_one_chain_opens_nothing_on_another() public {
        OrderTerms memory order = terms(GIB, 101, 111);
        (bytes memory a, bytes memory b) = (signOrder(USER_KEY, order), signOrder(PROVIDER_KEY, order));
        vm.chainId(986);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, user));
        orders.open(order, a, b);
    }

    function test_what_was_signed_for_one_contract_opens_nothing_in_another() public {
        OrderTerms memory order = terms(GIB, 101, 111);
        bytes32 elsewhere = digestOf(OrderTypedData.order(order), address(reads));
        (bytes memory a, bytes memory b) = (sign(USER_KEY, elsewhere), sign(PROVIDER_KEY, elsewhere));
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, user));
        orders.open(order, a, b);
    }

    function test_a_signature_in_one_role_is_none_in_the_other() public {
        OrderTerms memory order = terms(GIB, 101, 111);
        (bytes memory a, bytes memory b) = (signOrder(USER_KEY, order), signOrder(PROVIDER_KEY, order));
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, user));
        orders.open(order, b, a);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, provider));
        orders.open(order, a, a);
    }

    function test_an_amendment_ends_no_order() public {
        uint64 id = open(GIB, 101, 111);
        AmendmentTerms memory change = amendment(id, 0, 111);
        _expectAmendmentRefused(change, abi.encodeWithSelector(Orders.EmptyOrder.selector));
        change = amendment(id, GIB, 101);
        _expectAmendmentRefused(change, abi.encodeWithSelector(Orders.EpochsInvalid.selector, 101, 101));
    }

    function test_a_stolen_key_of_a_node_spends_none_of_its_income() public {
        uint64 id = open(GIB, 101, 102);
        vm.prank(provider);
        escrow.setPayee(provider, address(0xc01d));
        escrow.deposit(provider, 5);
        closeEpochsBefore(103);
        settleAll(id);
        uint256 income = escrow.balanceOf(provider) - 5;
        check(income > 5, "there is something to steal");
        // The thief has an order of his own whose provider, himself, sells reads.
        address thief = vm.addr(PROVIDER_KEY + 1);
        joinProvider(thief);
        uint64 start = orders.currentEpoch() + 1;
        OrderTerms memory order =
            OrderTerms(user, thief, nonces++, GIB, PRICE, start, start + 5, uint64(vm.getBlockTimestamp()));
        uint64 bait = orders.open(order, signOrder(USER_KEY, order), signOrder(PROVIDER_KEY + 1, order));
        vm.expectRevert();
        vm.prank(provider);
        reads.allow(bait, 2, type(uint128).max);
        vm.prank(provider);
        reads.allow(bait, 1, type(uint128).max);
        equal(escrow.balanceOf(provider), income + 1, "what was deposited can be spent, what was earned cannot");
        vm.prank(provider);
        escrow.withdraw(provider, income);
        equal(token.balanceOf(address(0xc01d)), income, "and goes to the payee alone");
    }

    function test_a_signature_of_another_message_type_is_refused() public {
        uint64 id = open(GIB, 101, 111);
        AmendmentTerms memory change = amendment(id, 2 * GIB, 111);
        bytes32 digest = digestOf(OrderTypedData.readVoucher(id, user, change.seq, 2 * GIB), address(orders));
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, user));
        orders.amend(change, sign(USER_KEY, digest), sign(PROVIDER_KEY, digest));
    }

    function test_an_amendment_counts_once_and_in_its_place() public {
        uint64 id = open(GIB, 101, 111);
        AmendmentTerms memory change = amendment(id, 2 * GIB, 111);
        submitAmendment(change);
        vm.expectRevert(abi.encodeWithSelector(Orders.StaleAmendment.selector, id, 1, 2));
        this.amendOutside(change);
        change = amendment(id, 3 * GIB, 111);
        vm.prank(user);
        orders.shrink(id, GIB);
        vm.expectRevert(abi.encodeWithSelector(Orders.StaleAmendment.selector, id, 2, 3));
        this.amendOutside(change);
    }

    function test_malleable_signatures_are_refused() public {
        OrderTerms memory order = terms(GIB, 101, 111);
        bytes32 digest = digestOf(OrderTypedData.order(order), address(orders));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(USER_KEY, digest);
        bytes memory twin = abi.encodePacked(r, CURVE_ORDER - uint256(s), v == 27 ? 28 : 27);
        bytes memory byProvider = sign(PROVIDER_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, user));
        orders.open(order, twin, byProvider);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, user));
        orders.open(order, abi.encodePacked(r, s), byProvider);
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, user));
        orders.open(order, "", byProvider);
    }

    function test_stale_orders_are_refused_and_can_be_cancelled() public {
        OrderTerms memory order = terms(GIB, 101, 111);
        vm.prank(user);
        orders.cancelNonce(order.nonce);
        check(orders.isNonceUsed(user, order.nonce), "used");
        _expectRefused(order, abi.encodeWithSelector(OrderBook.NonceUsed.selector, user, order.nonce));
        order = terms(GIB, 101, 111);
        passTime(61, 0);
        _expectRefused(order, abi.encodeWithSelector(Orders.SubmittedTooLate.selector, order.submitBy, block.timestamp));
    }

    function test_a_wallet_contract_signs_by_answering_and_can_do_nothing_meanwhile() public {
        HostileWallet wallet = new HostileWallet();
        wallet.act(address(roles), abi.encodeWithSignature("registerUser()"));
        escrow.deposit(address(wallet), 1 ether);
        OrderTerms memory order = terms(GIB, 101, 111);
        order.user = address(wallet);
        bytes memory byProvider = signOrder(PROVIDER_KEY, order);
        wallet.aim(address(escrow), abi.encodeCall(Escrow.withdraw, (address(wallet), 1 ether)));
        vm.expectRevert(abi.encodeWithSelector(Orders.NotSignedBy.selector, address(wallet)));
        orders.open(order, "no", byProvider);
        uint64 id = orders.open(order, "attack", byProvider);
        equal(escrow.balanceOf(address(wallet)), 1 ether - getOrder(id).locked, "what it tried had no effect");
        equal(token.balanceOf(address(wallet)), 0, "nor was anything paid");
        order.nonce += 1;
        orders.open(order, "yes", signOrder(PROVIDER_KEY, order));
    }

    function test_nobody_opens_an_order_that_he_cannot_pay() public {
        vm.prank(user);
        escrow.withdraw(user, ESCROWED - 1);
        OrderTerms memory order = terms(GIB, 101, 111);
        uint256 needed = uint256(PRICE) * EPOCH_SECONDS * 10 * 105 / 100;
        _expectRefused(order, abi.encodeWithSelector(Escrow.EscrowTooSmall.selector, user, needed, 1));
    }

    function test_dust_is_not_free_and_endless_orders_are_not_possible() public {
        OrderTerms memory order = terms(1, 101, 111);
        order.priceAttoPerGiBSecond = 1;
        uint64 id = submit(order);
        equal(getOrder(id).locked, 10, "an attomemo for each epoch, rounded up");
        order = terms(GIB, 101, type(uint64).max);
        order.priceAttoPerGiBSecond = type(uint128).max / 100;
        _expectRefused(order, "");
        order = terms(GIB, 101, 111);
        order.priceAttoPerGiBSecond = uint256(type(uint128).max) + 1;
        _expectRefused(
            order,
            abi.encodeWithSelector(
                OrderMath.PriceTooLarge.selector, order.priceAttoPerGiBSecond, uint256(type(uint128).max)
            )
        );
    }

    function test_an_order_at_the_last_block_of_an_epoch_begins_in_the_next() public {
        vm.roll(101 * EPOCH_BLOCKS - 1);
        equal(getOrder(open(GIB, 101, 103)).start, 101, "the next block");
        vm.roll(101 * EPOCH_BLOCKS);
        equal(getOrder(open(GIB, 101, 103)).start, 102, "an epoch that has begun is not sold");
    }

    function test_a_judge_cannot_reach_epochs_that_were_settled() public {
        uint64 id = open(GIB, 101, 111);
        closeEpochsBefore(105);
        settleAll(id);
        uint256 paid = escrow.balanceOf(provider);
        vm.expectRevert();
        vm.prank(JUDGE);
        orders.setFailed(provider, 104, true);
        equal(escrow.balanceOf(provider), paid, "what is paid stays paid");
    }

    function test_only_governance_pauses() public {
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, user);
        vm.expectRevert(refusal);
        vm.prank(user);
        orders.pause();
        vm.expectRevert(refusal);
        vm.prank(user);
        orders.unpause();
    }

    function amendOutside(AmendmentTerms memory change) external {
        submitAmendment(change);
    }

    /// @dev Empty for whatever reason.
    function _expectAmendmentRefused(AmendmentTerms memory change, bytes memory reason) private {
        bytes32 digest = digestOf(OrderTypedData.amendment(change), address(orders));
        (bytes memory a, bytes memory b) = (sign(USER_KEY, digest), sign(PROVIDER_KEY, digest));
        vm.expectRevert(reason);
        orders.amend(change, a, b);
    }

    function _expectRefused(OrderTerms memory order, bytes memory reason) private {
        (bytes memory a, bytes memory b) = (signOrder(USER_KEY, order), signOrder(PROVIDER_KEY, order));
        if (reason.length == 0) vm.expectRevert();
        else vm.expectRevert(reason);
        orders.open(order, a, b);
    }
}
