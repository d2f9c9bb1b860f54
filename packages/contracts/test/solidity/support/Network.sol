// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Governance} from "../../../src/Governance.sol";
import {MemoToken} from "../../../src/MemoToken.sol";
import {Pledges} from "../../../src/Pledges.sol";
import {Roles} from "../../../src/Roles.sol";
import {IPledges} from "../../../src/interfaces/IPledges.sol";
import {IRoles} from "../../../src/interfaces/IRoles.sol";
import {Account, Contact, Lock, Offer, PledgeTerms} from "../../../src/types/RoleTypes.sol";
import {Test} from "./Test.sol";

/// @notice Roles, pledges and token as the deploy plan wires them, with this contract as foundation and governance.
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

    MemoToken internal token;
    Governance internal governance;
    Roles internal roles;
    Pledges internal pledges;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        vm.roll(100);
        token = new MemoToken(address(this), SUPPLY);
        governance = new Governance(address(this));
        Lock memory lock = Lock(LOCK_SECONDS, LOCK_BLOCKS);
        address pledgesAddress = nextButOne();
        roles = new Roles(address(governance), IPledges(pledgesAddress), LEVEL, lock);
        pledges = new Pledges(
            IERC20(address(token)), IRoles(address(roles)), SLASHER, PledgeTerms(BASE, RATE_PER_GIB, KEEPER, lock)
        );
        equal(address(pledges), pledgesAddress, "the pledges stand where the roles expect them");
        token.approve(address(pledges), type(uint256).max);
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

    /// @dev This contract's nonce is small: it is found by trying.
    function nextButOne() private returns (address) {
        address probe = address(new Probe());
        for (uint8 nonce = 1; nonce < 120; ++nonce) {
            if (created(nonce) == probe) return created(nonce + 2);
        }
        revert NotTrue("the nonce is small");
    }

    function created(uint8 nonce) private view returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", address(this), nonce)))));
    }
}

contract Probe {}
