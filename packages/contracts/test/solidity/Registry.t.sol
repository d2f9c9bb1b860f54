// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Governance} from "../../src/Governance.sol";
import {Registry} from "../../src/Registry.sol";
import {Test} from "./support/Test.sol";

contract RegistryTest is Test {
    Registry private registry;

    function setUp() public {
        Registry.Entry[] memory initial = new Registry.Entry[](2);
        initial[0] = Registry.Entry("MemoToken", 4, address(0x44));
        initial[1] = Registry.Entry("Roles", 0, address(0x55));
        registry = new Registry(
            address(new Governance(address(this), new Governance.Assignment[](0), new Governance.Membership[](0))),
            1,
            initial
        );
    }

    function test_it_is_complete_from_its_first_block() public view {
        equal(registry.addressOf("MemoToken"), address(0x44), "by name");
        equal(registry.instances(4), address(0x44), "by the original's id");
        equal(registry.instances(0), address(0), "0 is no id");
        equal(registry.version(), 1, "version");
        (bytes32[] memory names, address[] memory targets) = registry.entries();
        equal(names.length, 2, "two entries");
        equal(names[1], bytes32("Roles"), "in order");
        equal(targets[1], address(0x55), "with its address");
    }

    function test_only_governance_writes() public {
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(0xbad));
        vm.expectRevert(refusal);
        vm.prank(address(0xbad));
        registry.set("Roles", address(1));
        vm.expectRevert(refusal);
        vm.prank(address(0xbad));
        registry.setInstance(4, address(1));
        vm.expectRevert(refusal);
        vm.prank(address(0xbad));
        registry.setVersion(2);
    }

    function test_a_name_is_listed_once_however_often_it_is_written() public {
        registry.set("Roles", address(0));
        registry.set("Roles", address(0x66));
        registry.set("New", address(0x77));
        (bytes32[] memory names, address[] memory targets) = registry.entries();
        equal(names.length, 3, "three entries");
        equal(targets[1], address(0x66), "the newest address");
        registry.setVersion(2);
        equal(registry.version(), 2, "version");
        vm.expectRevert(Registry.NameMissing.selector);
        registry.set(bytes32(0), address(1));
    }

    function test_it_is_bounded() public {
        for (uint256 i = 2; i < registry.MAX_ENTRIES(); ++i) {
            registry.set(bytes32(i + 1), address(1));
        }
        vm.expectRevert(abi.encodeWithSelector(Registry.TooManyEntries.selector, registry.MAX_ENTRIES()));
        registry.set("One more", address(1));
    }
}
