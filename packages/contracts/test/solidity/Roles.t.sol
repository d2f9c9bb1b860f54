// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Roles} from "../../src/Roles.sol";
import {Accounts} from "../../src/libraries/Accounts.sol";
import {KeeperSet} from "../../src/libraries/KeeperSet.sol";
import {Account, AccountState, Contact, Group, Offer, Role} from "../../src/types/RoleTypes.sol";
import {Network} from "./support/Network.sol";

contract RolesTest is Network {
    address private constant ALICE = address(0xa11ce);
    address private constant BOB = address(0xb0b);

    function test_an_account_registers_once_and_for_good() public {
        vm.prank(ALICE);
        roles.registerUser();
        Account memory alice = account(ALICE);
        equal(alice.index, 1, "indexes start at 1");
        check(alice.role == Role.User, "role");
        check(alice.state == AccountState.Active, "a user owes nothing and is active at once");
        vm.expectRevert(abi.encodeWithSelector(Accounts.AlreadyRegistered.selector, ALICE, Role.User));
        registerKeeper(ALICE);
    }

    function test_a_provider_is_active_exactly_while_its_pledge_covers_the_requirement() public {
        registerProvider(ALICE, 5);
        check(account(ALICE).state == AccountState.Registered, "nothing pledged yet");
        pledges.deposit(ALICE, BASE + 5 * RATE_PER_GIB - 1);
        check(account(ALICE).state == AccountState.Registered, "one attomemo short");
        pledges.deposit(ALICE, 1);
        check(account(ALICE).state == AccountState.Active, "covered");
        vm.prank(SLASHER);
        pledges.slash(ALICE, 1, address(this));
        check(account(ALICE).state == AccountState.Suspended, "no longer covered");
        pledges.deposit(ALICE, 1);
        check(account(ALICE).state == AccountState.Active, "covered again");
    }

    function test_a_deposit_before_registration_does_not_cover_a_large_offer() public {
        pledges.deposit(ALICE, BASE);
        registerProvider(ALICE, 5);
        check(account(ALICE).state == AccountState.Registered, "base alone is not enough for 5 GiB");
    }

    function test_an_active_provider_cannot_offer_more_than_it_has_pledged_for() public {
        registerProvider(ALICE, 1);
        pledges.deposit(ALICE, BASE + RATE_PER_GIB);
        vm.expectRevert(
            abi.encodeWithSelector(Roles.PledgeTooSmall.selector, ALICE, BASE + 2 * RATE_PER_GIB, BASE + RATE_PER_GIB)
        );
        vm.prank(ALICE);
        roles.setOffer(offer(2));
    }

    function test_a_lower_offer_makes_a_suspended_provider_active() public {
        registerProvider(ALICE, 5);
        pledges.deposit(ALICE, BASE + RATE_PER_GIB);
        vm.prank(ALICE);
        roles.setOffer(offer(1));
        check(account(ALICE).state == AccountState.Active, "covered by lowering the offer");
    }

    function test_a_group_serves_once_it_has_its_level_of_active_keepers() public {
        registerKeeper(ALICE);
        registerKeeper(BOB);
        check(!roles.getGroup(1).serving, "registered is not active");
        pledges.deposit(ALICE, KEEPER);
        check(!roles.getGroup(1).serving, "one of two");
        pledges.deposit(BOB, KEEPER);
        Group memory group = roles.getGroup(1);
        check(group.serving, "two of two");
        equal(group.keepers.length, 2, "both are listed");
        vm.prank(SLASHER);
        pledges.slash(ALICE, 1, address(this));
        group = roles.getGroup(1);
        check(!group.serving, "a suspended keeper does not count");
        equal(group.keepers[0], BOB, "the other stays listed");
    }

    function test_a_full_group_takes_no_further_keeper() public {
        for (uint160 i = 0; i < KeeperSet.MAX_KEEPERS; ++i) {
            registerKeeper(address(0x1000 + i));
            pledges.deposit(address(0x1000 + i), KEEPER);
        }
        registerKeeper(ALICE);
        vm.expectRevert(abi.encodeWithSelector(KeeperSet.GroupFull.selector, KeeperSet.MAX_KEEPERS));
        pledges.deposit(ALICE, KEEPER);
    }

    function test_contacts_are_bounded() public {
        Contact memory bad = contact();
        bad.endpoint = string(new bytes(Accounts.MAX_ENDPOINT_BYTES + 1));
        vm.expectRevert(abi.encodeWithSelector(Accounts.EndpointTooLong.selector, 513, 512));
        roles.registerKeeper(bad);
        bad.endpoint = "";
        vm.expectRevert(Accounts.EndpointMissing.selector);
        roles.registerKeeper(bad);
        bad = contact();
        bad.region = string(new bytes(Accounts.MAX_LABEL_BYTES + 1));
        vm.expectRevert(abi.encodeWithSelector(Accounts.LabelTooLong.selector, 65, 64));
        roles.registerKeeper(bad);
    }

    function test_only_providers_offer_and_only_nodes_have_endpoints() public {
        vm.prank(ALICE);
        roles.registerUser();
        vm.expectRevert(abi.encodeWithSelector(Roles.WrongRole.selector, ALICE, Role.User));
        vm.prank(ALICE);
        roles.setOffer(offer(1));
        vm.expectRevert(abi.encodeWithSelector(Roles.WrongRole.selector, ALICE, Role.User));
        vm.prank(ALICE);
        roles.setEndpoint("http://127.0.0.1:2");
        vm.expectRevert(abi.encodeWithSelector(Accounts.NotRegistered.selector, BOB));
        vm.prank(BOB);
        roles.setEndpoint("http://127.0.0.1:2");
    }

    function test_an_exit_ends_after_seconds_and_blocks_and_frees_the_pledge() public {
        registerProvider(ALICE, 1);
        pledges.deposit(ALICE, BASE + RATE_PER_GIB);
        vm.prank(ALICE);
        roles.startExit();
        check(account(ALICE).state == AccountState.Exiting, "exiting");
        equal(pledges.requirementOf(ALICE), BASE + RATE_PER_GIB, "liable until the lock is over");
        _expectLocked(ALICE, LOCK_SECONDS, 0);
        _expectLocked(ALICE, 0, LOCK_BLOCKS - 1);
        passTime(0, 1);
        vm.prank(ALICE);
        roles.finishExit();
        check(account(ALICE).state == AccountState.Exited, "exited");
        equal(pledges.requirementOf(ALICE), 0, "released");
        vm.expectRevert(abi.encodeWithSelector(Roles.WrongState.selector, ALICE, AccountState.Exited));
        vm.prank(ALICE);
        roles.setEndpoint("http://127.0.0.1:2");
    }

    function test_only_governance_bans_and_a_ban_never_confiscates() public {
        registerProvider(ALICE, 1);
        pledges.deposit(ALICE, BASE + RATE_PER_GIB);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, BOB));
        vm.prank(BOB);
        roles.ban(ALICE);
        roles.ban(ALICE);
        check(account(ALICE).state == AccountState.Banned, "banned");
        vm.expectRevert(abi.encodeWithSelector(Roles.WrongState.selector, ALICE, AccountState.Banned));
        vm.prank(ALICE);
        roles.setOffer(offer(0));
        equal(pledges.pledgeOf(ALICE), BASE + RATE_PER_GIB, "the pledge stays its own");
        passTime(LOCK_SECONDS - 1, LOCK_BLOCKS);
        roles.unban(ALICE);
        check(account(ALICE).state == AccountState.Active, "back, since the pledge still covers");
        passTime(1, 0);
        roles.ban(ALICE);
        equal(pledges.requirementOf(ALICE), BASE + RATE_PER_GIB, "a ban after that has a lock of its own");
        passTime(LOCK_SECONDS, LOCK_BLOCKS);
        equal(pledges.requirementOf(ALICE), 0, "and the pledge is free after the lock");
    }

    function test_governance_holds_no_pledge_by_banning_and_lifting_in_turns() public {
        registerProvider(ALICE, 1);
        pledges.deposit(ALICE, BASE + RATE_PER_GIB);
        vm.prank(ALICE);
        roles.startExit();
        for (uint256 i = 0; i < 5; ++i) {
            passTime(LOCK_SECONDS / 6, 1);
            roles.ban(ALICE);
            roles.unban(ALICE);
        }
        roles.ban(ALICE);
        passTime(LOCK_SECONDS, 0);
        equal(pledges.requirementOf(ALICE), 0, "the lock of the first exit is over");
        vm.expectRevert(abi.encodeWithSelector(Roles.WrongState.selector, ALICE, AccountState.Banned));
        roles.unban(ALICE);
        vm.prank(ALICE);
        pledges.announceWithdrawal(ALICE, BASE + RATE_PER_GIB);
    }

    function test_a_page_is_bounded_and_complete() public {
        for (uint160 i = 0; i < 7; ++i) {
            registerProvider(address(0x2000 + i), 1);
        }
        registerKeeper(ALICE);
        equal(roles.listByRole(Role.Provider, 0, 100).length, 7, "all providers");
        equal(roles.listByRole(Role.Provider, 5, 5).length, 2, "the rest");
        equal(roles.listByRole(Role.Provider, 5, 5)[1].owner, address(0x2006), "in the order of registration");
        equal(roles.listByRole(Role.Provider, type(uint256).max, 5).length, 0, "beyond the end");
        equal(roles.countByRole(Role.Keeper), 1, "keepers");
        equal(roles.accountCount(), 8, "accounts");
        equal(roles.getAccountByIndex(8).owner, ALICE, "by index");
        check(roles.getAccountByIndex(9).role == Role.None, "no such index");
        vm.expectRevert(abi.encodeWithSelector(Accounts.PageTooLarge.selector, 101, 100));
        roles.listByRole(Role.Provider, 0, 101);
    }

    function testFuzz_the_state_follows_the_pledge(uint64 capacityBytes, uint96 deposited) public {
        vm.assume(deposited > 0 && deposited <= SUPPLY);
        vm.prank(ALICE);
        roles.registerProvider(contact(), Offer(capacityBytes, 1, 1));
        pledges.deposit(ALICE, deposited);
        bool covered = deposited >= pledges.requirementOf(ALICE);
        check((account(ALICE).state == AccountState.Active) == covered, "active exactly when covered");
    }

    function testFuzz_the_requirement_rounds_up(uint64 capacityBytes) public view {
        uint256 required = pledges.requirementFor(capacityBytes) - BASE;
        uint256 exact = uint256(RATE_PER_GIB) * capacityBytes;
        check(required * GIB >= exact, "never less than the rate");
        check(required * GIB < exact + GIB, "less than one attomemo more");
    }

    function _expectLocked(address owner, uint256 waitSeconds, uint256 waitBlocks) private {
        uint256 untilTime = account(owner).exitAt + LOCK_SECONDS;
        uint256 untilBlock = account(owner).exitBlock + LOCK_BLOCKS;
        passTime(waitSeconds, waitBlocks);
        vm.expectRevert(abi.encodeWithSelector(Roles.LockNotOver.selector, untilTime, untilBlock));
        vm.prank(owner);
        roles.finishExit();
    }
}
