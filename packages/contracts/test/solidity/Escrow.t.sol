// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Escrow} from "../../src/Escrow.sol";
import {HostileToken} from "./support/Hostile.sol";
import {Network} from "./support/Network.sol";

contract EscrowTest is Network {
    uint256 private constant ALICE_KEY = 0xa11ce;
    address private alice;

    function setUp() public override {
        super.setUp();
        alice = vm.addr(ALICE_KEY);
        token.transfer(alice, 100);
    }

    function test_a_deposit_is_the_accounts_whoever_pays() public {
        escrow.deposit(alice, 7);
        equal(escrow.balanceOf(alice), 7, "free");
        vm.prank(alice);
        escrow.withdraw(alice, 7);
        equal(token.balanceOf(alice), 107, "paid out");
    }

    function test_a_permit_that_somebody_used_first_does_no_harm() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit(7);
        token.permit(alice, address(escrow), 7, block.timestamp, v, r, s);
        vm.prank(alice);
        escrow.depositWithPermit(alice, 7, block.timestamp, v, r, s);
        equal(escrow.balanceOf(alice), 7, "deposited");
    }

    function test_a_permit_of_another_gives_nothing() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit(7);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(escrow), 0, 7));
        vm.prank(address(0xbad));
        escrow.depositWithPermit(address(0xbad), 7, block.timestamp, v, r, s);
    }

    function test_nobody_withdraws_what_is_not_his() public {
        escrow.deposit(alice, 7);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotPayee.selector, address(0xbad), alice));
        vm.prank(address(0xbad));
        escrow.withdraw(alice, 1);
        vm.expectRevert(abi.encodeWithSelector(Escrow.EscrowTooSmall.selector, alice, 8, 7));
        vm.prank(alice);
        escrow.withdraw(alice, 8);
        vm.expectRevert(Escrow.AmountMissing.selector);
        vm.prank(alice);
        escrow.withdraw(alice, 0);
        vm.expectRevert(Escrow.AmountMissing.selector);
        escrow.deposit(alice, 0);
    }

    function test_nobody_but_orders_and_reads_locks_or_releases() public {
        escrow.deposit(alice, 7);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotOperator.selector, address(this)));
        escrow.lock(alice, 1);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotOperator.selector, address(this)));
        escrow.release(address(this), 1);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotOperator.selector, address(this)));
        escrow.pay(address(this), 1);
    }

    function test_neither_operator_gives_out_what_the_other_locked() public {
        escrow.deposit(alice, 7);
        vm.prank(address(orders));
        escrow.lock(alice, 7);
        vm.expectRevert();
        vm.prank(address(reads));
        escrow.release(address(0xbad), 1);
        vm.expectRevert();
        vm.prank(address(reads));
        escrow.pay(address(0xbad), 1);
        vm.prank(address(orders));
        escrow.release(address(0xb0b), 7);
        equal(escrow.balanceOf(address(0xb0b)), 7, "released by who locked");
    }

    function test_a_payee_receives_and_alone_names_the_next() public {
        address cold = address(0xc01d);
        escrow.deposit(alice, 7);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotPayee.selector, address(0xbad), alice));
        vm.prank(address(0xbad));
        escrow.setPayee(alice, address(0xbad));
        vm.expectRevert(Escrow.PayeeMissing.selector);
        vm.prank(alice);
        escrow.setPayee(alice, address(0));
        vm.prank(alice);
        escrow.setPayee(alice, cold);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotPayee.selector, alice, cold));
        vm.prank(alice);
        escrow.setPayee(alice, alice);
        vm.prank(alice);
        escrow.withdraw(alice, 3);
        vm.prank(cold);
        escrow.withdraw(alice, 4);
        equal(token.balanceOf(cold), 7, "both went to the payee");
        vm.prank(cold);
        escrow.setPayee(alice, alice);
        equal(escrow.payeeOf(alice), alice, "given back");
    }

    function test_income_is_locked_last_and_withdrawn_first_and_needs_its_payee() public {
        escrow.deposit(address(this), 100);
        vm.prank(address(orders));
        escrow.lock(address(this), 100);
        escrow.deposit(alice, 10);
        vm.prank(address(orders));
        escrow.pay(alice, 20);
        vm.prank(address(reads));
        escrow.lock(alice, 12);
        equal(escrow.incomeOf(alice), 18, "what was deposited is locked first");
        vm.prank(alice);
        escrow.setPayee(alice, address(0xc01d));
        _expectLockRefused(1, 0);
        escrow.deposit(alice, 5);
        vm.prank(alice);
        escrow.withdraw(alice, 7);
        equal(escrow.incomeOf(alice), 11, "income is withdrawn first");
        _expectLockRefused(6, 5);
        vm.prank(address(reads));
        escrow.lock(alice, 5);
        vm.prank(address(orders));
        escrow.release(alice, 3);
        vm.prank(address(reads));
        escrow.lock(alice, 3);
        equal(escrow.balanceOf(alice), 11, "what comes back unspent is no income");
        vm.prank(alice);
        escrow.withdraw(alice, 11);
        equal(escrow.incomeOf(alice), 0, "all of it");
    }

    function test_amounts_fit_their_place() public {
        uint256 tooLarge = uint256(type(uint128).max) + 1;
        vm.expectRevert(abi.encodeWithSelector(Escrow.AmountTooLarge.selector, tooLarge, type(uint128).max));
        escrow.deposit(alice, tooLarge);
    }

    function _expectLockRefused(uint256 amount, uint256 most) private {
        vm.expectRevert(abi.encodeWithSelector(Escrow.EscrowTooSmall.selector, alice, amount, most));
        vm.prank(address(reads));
        escrow.lock(alice, amount);
    }

    function test_a_token_that_calls_back_takes_no_more_than_its_due() public {
        HostileToken hostile = new HostileToken();
        Escrow mine = new Escrow(IERC20(address(hostile)), address(1), address(2));
        hostile.aim(address(mine), abi.encodeCall(Escrow.withdraw, (address(hostile), 5)));
        mine.deposit(address(hostile), 5);
        mine.deposit(alice, 5);
        vm.prank(address(hostile));
        mine.withdraw(address(hostile), 5);
        check(!hostile.succeeded(), "the second withdrawal inside the first fails");
        equal(mine.balanceOf(alice), 5, "others keep theirs");
        equal(mine.totalFree(), 5, "and the sum is theirs");
    }

    function _permit(uint256 amount) private view returns (uint8, bytes32, bytes32) {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash =
            keccak256(abi.encode(typeHash, alice, address(escrow), amount, token.nonces(alice), block.timestamp));
        return vm.sign(ALICE_KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
    }
}
