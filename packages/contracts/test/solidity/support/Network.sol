// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Escrow} from "../../../src/Escrow.sol";
import {Governance} from "../../../src/Governance.sol";
import {MemoToken} from "../../../src/MemoToken.sol";
import {Orders} from "../../../src/Orders.sol";
import {Pledges} from "../../../src/Pledges.sol";
import {Reads} from "../../../src/Reads.sol";
import {Roles} from "../../../src/Roles.sol";
import {IAccounts} from "../../../src/interfaces/IAccounts.sol";
import {ICommitments} from "../../../src/interfaces/ICommitments.sol";
import {IPayees} from "../../../src/interfaces/IPayees.sol";
import {IOrders} from "../../../src/interfaces/IOrders.sol";
import {IPledges} from "../../../src/interfaces/IPledges.sol";
import {IRoles} from "../../../src/interfaces/IRoles.sol";
import {OrderLengths} from "../../../src/types/OrderTypes.sol";
import {Account, Contact, Lock, Offer, PledgeTerms} from "../../../src/types/RoleTypes.sol";
import {Test} from "./Test.sol";

/// @notice Roles, pledges, orders and token as the deploy plan wires them, with this contract as foundation and governance.
abstract contract Network is Test {
    uint128 internal constant BASE = 10 ether;
    uint128 internal constant RATE_PER_GIB = 1 ether;
    uint128 internal constant KEEPER = 100 ether;
    uint64 internal constant LOCK_SECONDS = 60;
    uint64 internal constant LOCK_BLOCKS = 5;
    uint64 internal constant GIB = 1 << 30;
    uint32 internal constant LEVEL = 2;
    uint256 internal constant SUPPLY = 1_000_000 ether;
    address internal constant SLASHER = address(0x51a54e4);
    address internal constant JUDGE = address(0x10d6e);
    address internal constant FOUNDATION = address(0xf0);
    uint64 internal constant EPOCH_BLOCKS = 10;
    uint64 internal constant EPOCH_SECONDS = 60;
    uint64 internal constant DISPUTE_BLOCKS = 20;
    uint64 internal constant DISPUTE_SECONDS = 120;

    MemoToken internal token;
    Governance internal governance;
    Roles internal roles;
    Pledges internal pledges;
    Escrow internal escrow;
    Orders internal orders;
    Reads internal reads;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        vm.roll(100);
        token = new MemoToken(address(this), SUPPLY);
        governance = new Governance(address(this), new Governance.Assignment[](0), new Governance.Membership[](0));
        Lock memory lock = Lock(LOCK_SECONDS, LOCK_BLOCKS);
        address escrowAddress = next(2);
        address ordersAddress = next(3);
        roles = new Roles(address(governance), IPledges(next(1)), LEVEL, lock);
        pledges = new Pledges(
            IERC20(address(token)),
            IRoles(address(roles)),
            ICommitments(ordersAddress),
            IPayees(escrowAddress),
            SLASHER,
            PledgeTerms(BASE, RATE_PER_GIB, KEEPER, lock)
        );
        equal(next(0), escrowAddress, "the escrow stands where the orders expect it");
        escrow = new Escrow(IERC20(address(token)), ordersAddress, next(2));
        orders = new Orders(address(governance), escrow, IAccounts(address(roles)), FOUNDATION, JUDGE, orderLengths());
        reads = new Reads(escrow, IOrders(address(orders)), IAccounts(address(roles)), lock);
        equal(address(reads), escrow.READS(), "the reads stand where the escrow expects them");
        token.approve(address(pledges), type(uint256).max);
        token.approve(address(escrow), type(uint256).max);
    }

    function contact() internal pure returns (Contact memory) {
        return Contact("http://127.0.0.1:1", "operator", "region");
    }

    function offer(uint64 gib) internal pure returns (Offer memory) {
        return Offer(gib * GIB, 3, 4);
    }

    function registerProvider(address owner, uint64 gib) internal {
        vm.prank(owner);
        roles.registerProvider(contact(), offer(gib));
    }

    function registerKeeper(address owner) internal {
        vm.prank(owner);
        roles.registerKeeper(contact());
    }

    function account(address owner) internal view returns (Account memory) {
        return roles.getAccount(owner);
    }

    function orderLengths() internal pure returns (OrderLengths memory) {
        return OrderLengths(EPOCH_BLOCKS, EPOCH_SECONDS, DISPUTE_BLOCKS, DISPUTE_SECONDS);
    }

    /// @notice Goes to the first block of an epoch, with the time that blocks take.
    function goToEpoch(uint64 epoch) internal {
        uint256 blocks = uint256(epoch) * EPOCH_BLOCKS - vm.getBlockNumber();
        passTime(blocks * EPOCH_SECONDS / EPOCH_BLOCKS, blocks);
    }

    /// @dev The address of what this contract creates after `skip` other creations.
    function next(uint256 skip) internal view returns (address) {
        return vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + skip);
    }
}
