// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AccountDid} from "../../src/AccountDid.sol";
import {Checkpoints} from "../../src/Checkpoints.sol";
import {DidProxy} from "../../src/DidProxy.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {DidMessages} from "../../src/libraries/DidMessages.sol";
import {DidRecord} from "../../src/libraries/DidRecord.sol";
import {Checkpoint} from "../../src/types/CheckpointTypes.sol";
import {PublicKey} from "../../src/types/DidTypes.sol";
import {AccountState, Role} from "../../src/types/RoleTypes.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";
import {Vm} from "./support/Test.sol";

contract CheckpointsTest is OrderNetwork {
    string private constant RECOVERY = "EcdsaSecp256k1RecoveryMethod2020";
    string private constant ID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    uint256 private constant MASTER_KEY = 0x3a57e4;
    uint256 private constant OTHER_KEY = 0x07e4;

    AccountDid private accountDid;
    DidProxy private didProxy;
    Checkpoints private checkpoints;
    address private master = vm.addr(MASTER_KEY);

    function setUp() public override {
        super.setUp();
        accountDid = new AccountDid(next(1));
        didProxy = new DidProxy(accountDid, address(this));
        checkpoints = new Checkpoints(accountDid, IAccounts(address(roles)));
        bytes memory key = abi.encodePacked(master);
        didProxy.createDID(ID, RECOVERY, key, _legacy(DidMessages.createDid(ID, RECOVERY, key)));
    }

    function test_a_user_writes_its_own_log_and_no_other() public {
        vm.recordLogs();
        vm.prank(user);
        checkpoints.write(ID, 5, "head", hex"a0");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs[0].topics[1], keccak256(bytes(ID)), "found by the DID");
        equal(logs[0].topics[2], bytes32(uint256(uint160(user))), "and the writer");
        Checkpoint memory last = checkpoints.getCheckpoint(ID, user);
        equal(last.seq, 5, "seq");
        equal(last.hash, "head", "hash");
        equal(last.block_, block.number, "block");
        equal(checkpoints.getCheckpoint(ID, master).seq, 0, "the DID's own slot is untouched");
    }

    function test_nothing_goes_backwards() public {
        vm.prank(user);
        checkpoints.write(ID, 5, "head", "");
        for (uint64 seq = 4; seq <= 5; ++seq) {
            vm.expectRevert(abi.encodeWithSelector(Checkpoints.NotNewer.selector, ID, user, seq, 5));
            vm.prank(user);
            checkpoints.write(ID, seq, "other", "");
        }
    }

    function test_only_an_active_user_writes_without_the_dids_signature() public {
        vm.expectRevert(
            abi.encodeWithSelector(Checkpoints.NotServing.selector, provider, Role.Provider, AccountState.Active)
        );
        vm.prank(provider);
        checkpoints.write(ID, 1, "head", "");
        roles.ban(user);
        vm.expectRevert(abi.encodeWithSelector(Checkpoints.NotServing.selector, user, Role.User, AccountState.Banned));
        vm.prank(user);
        checkpoints.write(ID, 1, "head", "");
    }

    function test_the_master_key_signs_and_anyone_relays() public {
        bytes memory signature = _sign(MASTER_KEY, 3, "head", hex"a0");
        vm.expectRevert(abi.encodeWithSelector(Checkpoints.NotSignedBy.selector, master));
        checkpoints.writeSigned(ID, 0, 3, "head", hex"a1", signature);
        vm.expectRevert(abi.encodeWithSelector(Checkpoints.NotSignedBy.selector, master));
        checkpoints.writeSigned(ID, 0, 4, "head", hex"a0", signature);
        checkpoints.writeSigned(ID, 0, 3, "head", hex"a0", signature);
        equal(checkpoints.getCheckpoint(ID, master).seq, 3, "written");
        vm.expectRevert(abi.encodeWithSelector(Checkpoints.NotNewer.selector, ID, master, 3, 3));
        checkpoints.writeSigned(ID, 0, 3, "head", hex"a0", signature);
        signature = _sign(MASTER_KEY, 4, "head", "");
        vm.chainId(986);
        vm.expectRevert(abi.encodeWithSelector(Checkpoints.NotSignedBy.selector, master));
        checkpoints.writeSigned(ID, 0, 4, "head", "", signature);
    }

    function test_another_key_signs_exactly_while_it_is_in_authentication() public {
        bytes memory key = abi.encodePacked(vm.addr(OTHER_KEY));
        PublicKey memory method = PublicKey(RECOVERY, ID, key, false);
        didProxy.addVeri(ID, method, _legacy(DidMessages.addVerification(RECOVERY, ID, key, 1)));
        bytes memory signature = _sign(OTHER_KEY, 1, "head", "");
        vm.expectRevert(abi.encodeWithSelector(Checkpoints.NotAuthentication.selector, ID, 1));
        checkpoints.writeSigned(ID, 1, 1, "head", "", signature);
        string memory url = string.concat("did:memo:", ID, "#key-1");
        didProxy.addAuth(ID, url, _legacy(DidMessages.relation("addAuthentication", ID, url, 2)));
        checkpoints.writeSigned(ID, 1, 1, "head", "", signature);
        equal(checkpoints.getCheckpoint(ID, vm.addr(OTHER_KEY)).seq, 1, "written");
        didProxy.deactivateVeri(ID, 1, true, _legacy(DidMessages.deactivateVerification(ID, 1, 3)));
        signature = _sign(OTHER_KEY, 2, "head", "");
        vm.expectRevert(abi.encodeWithSelector(Checkpoints.NotAuthentication.selector, ID, 1));
        checkpoints.writeSigned(ID, 1, 2, "head", "", signature);
    }

    function test_unknown_and_deactivated_dids_take_nothing() public {
        string memory unknown = "ff23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidUnknown.selector, unknown));
        vm.prank(user);
        checkpoints.write(unknown, 1, "head", "");
        didProxy.deactivateDID(ID, true, _legacy(DidMessages.deactivateDid(ID, 1)));
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidDeactivated.selector, ID));
        vm.prank(user);
        checkpoints.write(ID, 1, "head", "");
        bytes memory signature = _sign(MASTER_KEY, 1, "head", "");
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidDeactivated.selector, ID));
        checkpoints.writeSigned(ID, 0, 1, "head", "", signature);
    }

    function test_placements_are_bounded() public {
        uint256 most = checkpoints.MAX_PLACEMENT_BYTES();
        vm.expectRevert(abi.encodeWithSelector(Checkpoints.PlacementTooLong.selector, most + 1, most));
        vm.prank(user);
        checkpoints.write(ID, 1, "head", new bytes(most + 1));
        vm.prank(user);
        checkpoints.write(ID, 1, "head", new bytes(most));
    }

    function _sign(uint256 key, uint64 seq, bytes32 hash, bytes memory placement) private view returns (bytes memory) {
        bytes32 typeHash =
            keccak256("Checkpoint(string did,address writer,uint64 seq,bytes32 hash,bytes32 placementHash)");
        bytes32 structHash =
            keccak256(abi.encode(typeHash, keccak256(bytes(ID)), vm.addr(key), seq, hash, keccak256(placement)));
        return sign(key, digestOf(structHash, address(checkpoints)));
    }

    function _legacy(bytes memory message) private pure returns (bytes memory) {
        return sign(MASTER_KEY, MessageHashUtils.toEthSignedMessageHash(message));
    }
}
