// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Escrow} from "../../src/Escrow.sol";
import {MemoToken} from "../../src/MemoToken.sol";
import {Pledges} from "../../src/Pledges.sol";
import {Roles} from "../../src/Roles.sol";
import {AccountState, Contact, Group, Offer, Role} from "../../src/types/RoleTypes.sol";
import {Network} from "./support/Network.sol";
import {Test} from "./support/Test.sol";

/// @notice Does with a handful of accounts whatever the fuzzer asks for.
contract Actor is Test {
    uint160 public constant ACCOUNTS = 5;

    MemoToken private immutable TOKEN;
    Roles private immutable ROLES;
    Pledges private immutable PLEDGES;
    Escrow private immutable ESCROW;
    address private immutable SLASHER;

    /// @notice What went where it should not, if anything did.
    string public broken;

    constructor(MemoToken token, Roles roles, Pledges pledges, Escrow escrow, address slasher) {
        (TOKEN, ROLES, PLEDGES, ESCROW, SLASHER) = (token, roles, pledges, escrow, slasher);
        token.approve(address(pledges), type(uint256).max);
    }

    function accountAt(uint256 seed) public pure returns (address) {
        return address(0x9000 + uint160(seed % ACCOUNTS));
    }

    function register(uint256 who, uint256 role, uint64 capacityBytes) external {
        Contact memory contact = Contact("http://127.0.0.1:1", "", "");
        vm.prank(accountAt(who));
        if (role % 3 == 0) ROLES.registerUser();
        else if (role % 3 == 1) ROLES.registerProvider(contact, Offer(capacityBytes % (1 << 36), 1, 1));
        else ROLES.registerKeeper(contact);
    }

    function deposit(uint256 who, uint256 amount) external {
        PLEDGES.deposit(accountAt(who), amount % 200 ether);
    }

    function offer(uint256 who, uint64 capacityBytes) external {
        vm.prank(accountAt(who));
        ROLES.setOffer(Offer(capacityBytes % (1 << 36), 1, 1));
    }

    function announce(uint256 who, uint256 amount) external {
        address owner = accountAt(who);
        uint256 pledged = PLEDGES.pledgeOf(owner);
        // Mostly what is free, sometimes one too much.
        uint256 most = pledged + 1 - Math.min(pledged, PLEDGES.requirementOf(owner));
        vm.prank(ESCROW.payeeOf(owner));
        PLEDGES.announceWithdrawal(owner, 1 + amount % most);
    }

    function withdraw(uint256 who, bool byAccount) external {
        address owner = accountAt(who);
        address payee = ESCROW.payeeOf(owner);
        (uint256 before, uint256 pledged) = (TOKEN.balanceOf(payee), PLEDGES.pledgeOf(owner));
        vm.prank(byAccount ? owner : payee);
        PLEDGES.withdraw(owner);
        if (byAccount && payee != owner) broken = "whoever is not the payee withdrew";
        if (TOKEN.balanceOf(payee) - before != pledged - PLEDGES.pledgeOf(owner)) broken = "paid to somebody else";
        if (PLEDGES.pledgeOf(owner) < PLEDGES.requirementOf(owner)) broken = "took what is required";
    }

    function setPayee(uint256 who, uint256 other) external {
        address owner = accountAt(who);
        vm.prank(ESCROW.payeeOf(owner));
        ESCROW.setPayee(owner, other % 2 == 0 ? owner : address(0xc01d));
    }

    function ban(uint256 who, bool lift) external {
        if (lift) ROLES.unban(accountAt(who));
        else ROLES.ban(accountAt(who));
    }

    function slash(uint256 who, uint256 amount) external {
        vm.prank(SLASHER);
        PLEDGES.slash(accountAt(who), amount % 50 ether, address(0xdead));
    }

    function exit(uint256 who, bool finish) external {
        vm.prank(accountAt(who));
        if (finish) ROLES.finishExit();
        else ROLES.startExit();
    }

    function wait(uint256 time, uint256 blocks) external {
        passTime(time % 120, blocks % 10);
    }
}

contract PledgesInvariantTest is Network {
    Actor private actor;

    function setUp() public override {
        super.setUp();
        actor = new Actor(token, roles, pledges, escrow, SLASHER);
        governance.grantRole(0, address(actor), 0);
        token.transfer(address(actor), SUPPLY / 2);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actor);
    }

    function invariant_the_pledges_are_exactly_the_tokens_held() public view {
        uint256 sum;
        for (uint160 i = 0; i < actor.ACCOUNTS(); ++i) {
            sum += pledges.pledgeOf(actor.accountAt(i));
        }
        equal(pledges.totalPledged(), sum, "the total is the sum over accounts");
        equal(token.balanceOf(address(pledges)), sum, "and what the contract holds");
        equal(actor.broken(), "", "and goes to its payees alone");
    }

    function invariant_active_is_exactly_who_has_pledged_enough() public view {
        uint256 activeKeepers;
        for (uint160 i = 0; i < actor.ACCOUNTS(); ++i) {
            address owner = actor.accountAt(i);
            AccountState state = account(owner).state;
            bool covered = pledges.pledgeOf(owner) >= pledges.requirementOf(owner);
            if (state == AccountState.Active) {
                check(covered, "active is covered");
                if (account(owner).role == Role.Keeper) ++activeKeepers;
            }
            if (state == AccountState.Registered || state == AccountState.Suspended) {
                check(!covered, "neither registered nor suspended is covered");
            }
        }
        Group memory group = roles.getGroup(1);
        equal(group.keepers.length, activeKeepers, "the group lists its active keepers");
    }
}
