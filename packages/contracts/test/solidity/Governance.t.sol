// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {AccountDid} from "../../src/AccountDid.sol";
import {Governance} from "../../src/Governance.sol";
import {Orders} from "../../src/Orders.sol";
import {QuotaPay} from "../../src/QuotaPay.sol";
import {SpaceMarket} from "../../src/SpaceMarket.sol";
import {Timelock} from "../../src/Timelock.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {MarketTerms, Quota} from "../../src/types/MarketTypes.sol";
import {Lock} from "../../src/types/RoleTypes.sol";
import {Network} from "./support/Network.sol";

/// @notice Governance as a public network has it: the timelock is the admin, and two duties need no waiting.
contract GovernanceTest is Network {
    uint256 private constant DELAY = 2 days;
    address private constant GOVERNOR = address(0x90e4);
    address private constant PAUSER = address(0xba5e);
    address private constant GRANTER = address(0x94a);
    uint64 private constant PAUSER_ROLE = 1;
    uint64 private constant GRANTER_ROLE = 2;

    Timelock private timelock;
    Governance private public_;
    Orders private paused;
    SpaceMarket private market;

    function setUp() public override {
        super.setUp();
        address[] memory governors = new address[](1);
        governors[0] = GOVERNOR;
        timelock = new Timelock(DELAY, governors, governors);
        Governance.Assignment[] memory assignments = new Governance.Assignment[](3);
        // After this governance come the orders, two pay contracts, the market.
        assignments[0] = Governance.Assignment(next(1), Orders.pause.selector, PAUSER_ROLE);
        assignments[1] = Governance.Assignment(next(4), SpaceMarket.grant.selector, GRANTER_ROLE);
        assignments[2] = Governance.Assignment(next(4), SpaceMarket.grantToDid.selector, GRANTER_ROLE);
        Governance.Membership[] memory memberships = new Governance.Membership[](2);
        memberships[0] = Governance.Membership(PAUSER_ROLE, PAUSER);
        memberships[1] = Governance.Membership(GRANTER_ROLE, GRANTER);
        public_ = new Governance(address(timelock), assignments, memberships);
        paused = new Orders(address(public_), escrow, IAccounts(address(roles)), FOUNDATION, address(0), orderLengths());
        QuotaPay space = new QuotaPay(IERC20(address(token)), IMarket(next(2)));
        QuotaPay traffic = new QuotaPay(IERC20(address(token)), IMarket(next(1)));
        market = new SpaceMarket(
            address(public_), space, traffic, AccountDid(address(1)), MarketTerms(1, 1, GOVERNOR), Lock(60, 5), 1095
        );
    }

    function test_the_pauser_pauses_at_once_and_cannot_lift_it() public {
        vm.prank(PAUSER);
        paused.pause();
        check(paused.paused(), "paused");
        _expectRefused(PAUSER);
        vm.prank(PAUSER);
        paused.unpause();
        _throughTimelock(address(paused), abi.encodeCall(Orders.unpause, ()));
        check(!paused.paused(), "lifted");
    }

    function test_the_granter_grants_and_sets_no_price() public {
        vm.prank(GRANTER);
        market.grant(Quota.Space, address(1), 5, "trial");
        equal(market.spacePayInfo(address(1)).freeByte, 5, "granted");
        _expectRefused(GRANTER);
        vm.prank(GRANTER);
        market.announceTerms(MarketTerms(9, 9, GRANTER));
        _expectRefused(PAUSER);
        vm.prank(PAUSER);
        market.grant(Quota.Space, address(1), 5, "trial");
    }

    function test_all_else_waits_in_the_timelock_and_then_is_announced_again() public {
        bytes memory call = abi.encodeCall(SpaceMarket.announceTerms, (MarketTerms(9, 9, GOVERNOR)));
        _expectRefused(GOVERNOR);
        vm.prank(GOVERNOR);
        market.announceTerms(MarketTerms(9, 9, GOVERNOR));
        vm.prank(GOVERNOR);
        timelock.schedule(address(market), 0, call, 0, 0, DELAY);
        passTime(DELAY - 1, 100);
        vm.expectRevert();
        vm.prank(GOVERNOR);
        timelock.execute(address(market), 0, call, 0, 0);
        passTime(1, 0);
        vm.prank(GOVERNOR);
        timelock.execute(address(market), 0, call, 0, 0);
        equal(market.spacePrice(), 1, "announced");
        passTime(60, 5);
        equal(market.spacePrice(), 9, "in force");
    }

    function test_nobody_but_the_governor_announces_and_nobody_shortens_the_delay_at_once() public {
        bytes memory call = abi.encodeCall(Orders.unpause, ());
        vm.expectRevert();
        vm.prank(PAUSER);
        timelock.schedule(address(paused), 0, call, 0, 0, DELAY);
        vm.expectRevert();
        vm.prank(GOVERNOR);
        timelock.schedule(address(paused), 0, call, 0, 0, DELAY - 1);
        vm.expectRevert();
        vm.prank(GOVERNOR);
        timelock.updateDelay(0);
        vm.expectRevert();
        vm.prank(GOVERNOR);
        public_.grantRole(0, GOVERNOR, 0);
    }

    function _throughTimelock(address target, bytes memory call) private {
        vm.prank(GOVERNOR);
        timelock.schedule(target, 0, call, 0, 0, DELAY);
        passTime(DELAY, 1);
        vm.prank(GOVERNOR);
        timelock.execute(target, 0, call, 0, 0);
    }

    function _expectRefused(address caller) private {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
    }
}
