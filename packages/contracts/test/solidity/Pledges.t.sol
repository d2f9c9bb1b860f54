// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Pledges} from "../../src/Pledges.sol";
import {PledgeBook} from "../../src/libraries/PledgeBook.sol";
import {Network} from "./support/Network.sol";

contract PledgesTest is Network {
    uint256 private constant ALICE_KEY = 0xa11ce;
    address private alice;

    function setUp() public override {
        super.setUp();
        alice = vm.addr(ALICE_KEY);
    }

    function test_a_deposit_by_permit_needs_no_allowance() public {
        token.transfer(alice, 7);
        (uint8 v, bytes32 r, bytes32 s) = _permit(7, block.timestamp);
        vm.prank(alice);
        pledges.depositWithPermit(alice, 7, block.timestamp, v, r, s);
        equal(pledges.pledgeOf(alice), 7, "pledged");
    }

    function test_a_permit_that_somebody_used_first_does_no_harm() public {
        token.transfer(alice, 7);
        (uint8 v, bytes32 r, bytes32 s) = _permit(7, block.timestamp);
        token.permit(alice, address(pledges), 7, block.timestamp, v, r, s);
        vm.prank(alice);
        pledges.depositWithPermit(alice, 7, block.timestamp, v, r, s);
        equal(pledges.pledgeOf(alice), 7, "pledged");
    }

    function test_a_permit_of_another_gives_nothing() public {
        token.transfer(alice, 7);
        (uint8 v, bytes32 r, bytes32 s) = _permit(7, block.timestamp);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(pledges), 0, 7)
        );
        vm.prank(address(0xbad));
        pledges.depositWithPermit(address(0xbad), 7, block.timestamp, v, r, s);
    }

    function test_only_what_is_free_can_be_announced() public {
        registerProvider(alice, 1);
        pledges.deposit(alice, BASE + RATE_PER_GIB + 5);
        vm.expectRevert(abi.encodeWithSelector(Pledges.PledgeNotFree.selector, alice, 6, 5));
        vm.prank(alice);
        pledges.announceWithdrawal(alice, 6);
        vm.prank(alice);
        pledges.announceWithdrawal(alice, 5);
    }

    function test_a_withdrawal_waits_for_seconds_and_blocks() public {
        pledges.deposit(alice, 5);
        vm.prank(alice);
        pledges.announceWithdrawal(alice, 5);
        uint256 untilTime = block.timestamp + LOCK_SECONDS;
        uint256 untilBlock = block.number + LOCK_BLOCKS;
        passTime(LOCK_SECONDS, LOCK_BLOCKS - 1);
        vm.expectRevert(abi.encodeWithSelector(Pledges.LockNotOver.selector, untilTime, untilBlock));
        vm.prank(alice);
        pledges.withdraw(alice);
        passTime(0, 1);
        vm.prank(alice);
        pledges.withdraw(alice);
        equal(token.balanceOf(alice), 5, "paid out");
        vm.expectRevert(abi.encodeWithSelector(Pledges.NothingAnnounced.selector, alice));
        vm.prank(alice);
        pledges.withdraw(alice);
    }

    function test_an_old_announcement_does_not_free_what_was_required_since() public {
        pledges.deposit(alice, BASE + RATE_PER_GIB);
        vm.prank(alice);
        pledges.announceWithdrawal(alice, BASE);
        registerProvider(alice, 1);
        passTime(LOCK_SECONDS, LOCK_BLOCKS);
        vm.expectRevert(abi.encodeWithSelector(Pledges.PledgeNotFree.selector, alice, BASE, 0));
        vm.prank(alice);
        pledges.withdraw(alice);
        vm.prank(alice);
        pledges.cancelWithdrawal(alice);
        equal(pledges.getPledge(alice).announced, 0, "cancelled");
    }

    function test_lowering_capacity_frees_only_after_a_lock_of_its_own() public {
        registerProvider(alice, 3);
        pledges.deposit(alice, BASE + 3 * RATE_PER_GIB + 1);
        vm.prank(alice);
        pledges.announceWithdrawal(alice, 1);
        passTime(LOCK_SECONDS, LOCK_BLOCKS);
        vm.prank(alice);
        roles.setOffer(offer(0));
        vm.prank(alice);
        pledges.withdraw(alice);
        equal(token.balanceOf(alice), 1, "the old announcement gives what it announced, no more");
        vm.prank(alice);
        pledges.announceWithdrawal(alice, 3 * RATE_PER_GIB);
        vm.expectRevert(
            abi.encodeWithSelector(
                Pledges.LockNotOver.selector, block.timestamp + LOCK_SECONDS, block.number + LOCK_BLOCKS
            )
        );
        vm.prank(alice);
        pledges.withdraw(alice);
    }

    function test_only_the_slasher_slashes_and_never_more_than_there_is() public {
        pledges.deposit(alice, 5);
        vm.expectRevert(abi.encodeWithSelector(Pledges.NotSlasher.selector, address(this)));
        pledges.slash(alice, 1, address(this));
        vm.prank(SLASHER);
        equal(pledges.slash(alice, 9, address(0xbe)), 5, "all there is");
        equal(token.balanceOf(address(0xbe)), 5, "paid to the beneficiary");
        vm.prank(SLASHER);
        equal(pledges.slash(alice, 9, address(0xbe)), 0, "nothing left");
    }

    function test_a_pledge_goes_to_the_payee_and_nobody_else_begins_or_ends_its_wait() public {
        address cold = address(0xc01d);
        pledges.deposit(alice, 5);
        vm.prank(alice);
        escrow.setPayee(alice, cold);
        bytes memory refused = abi.encodeWithSelector(Pledges.NotPayee.selector, alice, cold);
        vm.expectRevert(refused);
        vm.prank(alice);
        pledges.announceWithdrawal(alice, 5);
        vm.prank(cold);
        pledges.announceWithdrawal(alice, 5);
        passTime(LOCK_SECONDS, LOCK_BLOCKS);
        vm.expectRevert(refused);
        vm.prank(alice);
        pledges.cancelWithdrawal(alice);
        vm.expectRevert(refused);
        vm.prank(alice);
        pledges.withdraw(alice);
        vm.prank(cold);
        pledges.withdraw(alice);
        equal(token.balanceOf(cold), 5, "where the account said");
        equal(token.balanceOf(alice), 0, "and nowhere else");
    }

    function test_what_was_not_announced_is_not_cancelled() public {
        vm.expectRevert(abi.encodeWithSelector(Pledges.NothingAnnounced.selector, alice));
        vm.prank(alice);
        pledges.cancelWithdrawal(alice);
    }

    function test_amounts_are_bounded() public {
        vm.expectRevert(PledgeBook.AmountMissing.selector);
        pledges.deposit(alice, 0);
        uint256 tooLarge = uint256(type(uint128).max) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(PledgeBook.AmountTooLarge.selector, tooLarge, uint256(type(uint128).max))
        );
        pledges.deposit(alice, tooLarge);
        pledges.deposit(alice, 1);
        vm.expectRevert(PledgeBook.AmountMissing.selector);
        vm.prank(alice);
        pledges.announceWithdrawal(alice, 0);
    }

    function _permit(uint256 amount, uint256 deadline) private view returns (uint8, bytes32, bytes32) {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash =
            keccak256(abi.encode(typeHash, alice, address(pledges), amount, token.nonces(alice), deadline));
        return vm.sign(ALICE_KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
    }
}
