// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Escrow} from "../../src/Escrow.sol";
import {MemoToken} from "../../src/MemoToken.sol";
import {Pledges} from "../../src/Pledges.sol";
import {Roles} from "../../src/Roles.sol";
import {PledgeBook} from "../../src/libraries/PledgeBook.sol";
import {AccountState, Contact, Group, Lock, Offer, Role} from "../../src/types/RoleTypes.sol";
import {Network} from "./support/Network.sol";
import {Test} from "./support/Test.sol";

/// @notice Does with a handful of accounts whatever the fuzzer asks for.
contract Actor is Test {
    uint160 public constant ACCOUNTS = 6;

    MemoToken private immutable TOKEN;
    Roles private immutable ROLES;
    Pledges private immutable PLEDGES;
    Escrow private immutable ESCROW;
    address private immutable SLASHER;

    /// @notice What went where it should not, if anything did.
    string public broken;

    /// @notice What was given for each account, less what was taken.
    mapping(address account => uint256 amount) public due;

    constructor(MemoToken token, Roles roles, Pledges pledges, Escrow escrow, address slasher) {
        (TOKEN, ROLES, PLEDGES, ESCROW, SLASHER) = (token, roles, pledges, escrow, slasher);
        token.approve(address(pledges), type(uint256).max);
    }

    function accountAt(uint256 seed) public pure returns (address) {
        return address(0x9000 + uint160(seed % ACCOUNTS));
    }

    /// @dev The next who is in no role; where all are, a second role is refused.
    function register(uint256 who, uint256 role, uint64 capacityBytes) external {
        who = _next(who, this.isUnknown);
        address owner = accountAt(who);
        bool isNew = isUnknown(who);
        vm.prank(owner);
        if (!isNew) {
            try ROLES.registerUser() {
                broken = "registered twice";
            } catch {}
            return;
        }
        Contact memory contact = Contact("http://127.0.0.1:1", "", "");
        if (role % 8 == 0) ROLES.registerUser();
        else if (role % 2 == 0) ROLES.registerProvider(contact, Offer(capacityBytes % (1 << 36), 1, 1));
        else ROLES.registerKeeper(contact);
    }

    function deposit(uint256 who, uint256 amount) external {
        amount %= 200 ether;
        PLEDGES.deposit(accountAt(who), amount);
        due[accountAt(who)] += amount;
    }

    function offer(uint256 who, uint64 capacityBytes) external {
        vm.prank(accountAt(_next(who, this.isOffering)));
        ROLES.setOffer(Offer(capacityBytes % (1 << 36), 1, 1));
    }

    function announce(uint256 who, uint256 amount) external {
        address owner = accountAt(_next(who, this.isFree));
        uint256 pledged = PLEDGES.pledgeOf(owner);
        // Mostly what is free, sometimes one too much.
        uint256 most = pledged + 1 - Math.min(pledged, PLEDGES.requirementOf(owner));
        vm.prank(ESCROW.payeeOf(owner));
        PLEDGES.announceWithdrawal(owner, 1 + amount % most);
    }

    function withdraw(uint256 who, bool byAccount) external {
        address owner = accountAt(_next(who, this.isAnnounced));
        address payee = ESCROW.payeeOf(owner);
        PledgeBook.Pledge memory announced = PLEDGES.getPledge(owner);
        (uint256 before, uint256 pledged) = (TOKEN.balanceOf(payee), PLEDGES.pledgeOf(owner));
        vm.prank(byAccount ? owner : payee);
        PLEDGES.withdraw(owner);
        due[owner] -= announced.announced;
        Lock memory lock = PLEDGES.terms().withdrawal;
        bool early = block.timestamp < announced.announcedAt + lock.waitSeconds
            || block.number < announced.announcedBlock + lock.waitBlocks;
        if (early) broken = "left before its lock was over";
        if (byAccount && payee != owner) broken = "whoever is not the payee withdrew";
        if (TOKEN.balanceOf(payee) - before != pledged - PLEDGES.pledgeOf(owner)) broken = "paid to somebody else";
        if (PLEDGES.pledgeOf(owner) < PLEDGES.requirementOf(owner)) broken = "took what is required";
    }

    function setPayee(uint256 who, uint256 other) external {
        address owner = accountAt(who);
        vm.prank(ESCROW.payeeOf(owner));
        ESCROW.setPayee(owner, other % 2 == 0 ? owner : address(0xc01d));
    }

    /// @dev Mostly lifts what is banned and bans what is not; few are banned, since most that follows is refused then.
    function ban(uint256 who, uint8 asked) external {
        uint256 banned = _next(who, this.isBanned);
        if (isBanned(banned) && asked % 4 != 0) return ROLES.unban(accountAt(banned));
        ROLES.ban(accountAt(_next(who, this.isIn)));
    }

    function slash(uint256 who, uint256 amount) external {
        vm.prank(SLASHER);
        due[accountAt(who)] -= PLEDGES.slash(accountAt(who), amount % 50 ether, address(0xdead));
    }

    /// @dev Ends what can be ended; begins seldom, since who has left does not come back.
    function exit(uint256 who, uint8 asked) external {
        uint256 leaving = _next(who, this.isExiting);
        if (isExiting(leaving)) {
            vm.prank(accountAt(leaving));
            return ROLES.finishExit();
        }
        if (asked % 4 != 0) return this.wait(asked, asked);
        vm.prank(accountAt(_next(who, this.isIn)));
        ROLES.startExit();
    }

    function wait(uint256 time, uint256 blocks) external {
        passTime(time % 120, blocks % 10);
    }

    function isUnknown(uint256 who) public view returns (bool) {
        return _stateOf(who) == AccountState.None;
    }

    function isBanned(uint256 who) public view returns (bool) {
        return _stateOf(who) == AccountState.Banned;
    }

    function isExiting(uint256 who) public view returns (bool) {
        return _stateOf(who) == AccountState.Exiting;
    }

    function isIn(uint256 who) public view returns (bool) {
        AccountState state = _stateOf(who);
        return state == AccountState.Registered || state == AccountState.Active || state == AccountState.Suspended;
    }

    function isOffering(uint256 who) external view returns (bool) {
        return isIn(who) && ROLES.getAccount(accountAt(who)).role == Role.Provider;
    }

    function isFree(uint256 who) external view returns (bool) {
        address owner = accountAt(who);
        return PLEDGES.pledgeOf(owner) > PLEDGES.requirementOf(owner) && !this.isAnnounced(who);
    }

    function isAnnounced(uint256 who) external view returns (bool) {
        return PLEDGES.getPledge(accountAt(who)).announced != 0;
    }

    /// @dev The next of whom something is true, so that most calls do something; whoever was asked for, where of nobody.
    function _next(uint256 who, function(uint256) external view returns (bool) isSo) private view returns (uint256) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            if (isSo(who % ACCOUNTS + i)) return who % ACCOUNTS + i;
        }
        return who % ACCOUNTS;
    }

    function _stateOf(uint256 who) private view returns (AccountState) {
        return ROLES.getAccount(accountAt(who)).state;
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

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](10);
        selectors[0] = actor.register.selector;
        selectors[1] = actor.deposit.selector;
        selectors[2] = actor.offer.selector;
        selectors[3] = actor.announce.selector;
        selectors[4] = actor.withdraw.selector;
        selectors[5] = actor.setPayee.selector;
        selectors[6] = actor.ban.selector;
        selectors[7] = actor.slash.selector;
        selectors[8] = actor.exit.selector;
        selectors[9] = actor.wait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(actor), selectors);
    }

    function invariant_the_pledges_are_exactly_the_tokens_held() public view {
        uint256 sum;
        for (uint160 i = 0; i < actor.ACCOUNTS(); ++i) {
            address owner = actor.accountAt(i);
            equal(pledges.pledgeOf(owner), actor.due(owner), "each has what was given and not taken");
            sum += pledges.pledgeOf(owner);
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
