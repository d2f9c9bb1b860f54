// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AccountDid} from "../../src/AccountDid.sol";
import {DidProxy} from "../../src/DidProxy.sol";
import {DidMessages} from "../../src/libraries/DidMessages.sol";
import {DidRecord} from "../../src/libraries/DidRecord.sol";
import {DidText} from "../../src/libraries/DidText.sol";
import {PublicKey, Verification} from "../../src/types/DidTypes.sol";
import {DidVectors} from "./support/DidVectors.sol";
import {Vm} from "./support/Test.sol";

/// @notice What the storage of DIDs takes and tells, function by function, and who may change a method.
contract DidStorageTest is DidVectors {
    string private constant SECP256K1 = "EcdsaSecp256k1VerificationKey2019";
    string private constant RECOVERY = "EcdsaSecp256k1RecoveryMethod2020";
    string private constant ALICE = "a11ce00000000000000000000000000000000000000000000000000000000000";
    string private constant BOB = "b0b0000000000000000000000000000000000000000000000000000000000000";
    uint256 private constant ALICE_SECRET = 0xa11ce;
    uint256 private constant BOB_SECRET = 0xb0b;
    string private constant URL = "did:memo:x#key-1";

    function test_nobody_but_the_proxy_changes_anything() public {
        _create(ALICE_SECRET, ALICE);
        uint256[2] memory none;
        bytes memory key = abi.encodePacked(address(this));
        bytes[13] memory calls = [
            abi.encodeCall(AccountDid.createDID, (BOB, RECOVERY, key, none)),
            abi.encodeCall(AccountDid.addVeri, (ALICE, Verification(RECOVERY, ALICE, key, false, none))),
            abi.encodeCall(AccountDid.updateVeri, (ALICE, 1, RECOVERY, key)),
            abi.encodeCall(AccountDid.deactivateVeri, (ALICE, 1, true)),
            abi.encodeCall(AccountDid.addAuth, (ALICE, URL)),
            abi.encodeCall(AccountDid.removeAuth, (ALICE, URL)),
            abi.encodeCall(AccountDid.addAssertion, (ALICE, URL)),
            abi.encodeCall(AccountDid.removeAssertion, (ALICE, URL)),
            abi.encodeCall(AccountDid.addDelegation, (ALICE, URL, 1)),
            abi.encodeCall(AccountDid.removeDelegation, (ALICE, URL)),
            abi.encodeCall(AccountDid.addRecovery, (ALICE, URL)),
            abi.encodeCall(AccountDid.removeRecovery, (ALICE, URL)),
            abi.encodeCall(AccountDid.deactivateDID, (ALICE, true))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory reason) = address(accountDid).call(calls[i]);
            check(!done, "refused");
            equal(
                keccak256(reason),
                keccak256(abi.encodeWithSelector(AccountDid.NotOwner.selector, address(this))),
                "for who calls"
            );
        }
    }

    function test_the_events_say_what_was_changed() public {
        vm.recordLogs();
        for (uint256 nonce = 0; nonce < count(); ++nonce) {
            send(nonce, legacy(nonce));
        }
        string memory url = read(2).url;
        bytes memory named = abi.encode(url);
        bytes[13] memory wanted = [
            abi.encode(did),
            abi.encode(uint256(1)),
            named,
            named,
            abi.encode(url, uint256(1_800_000_000)),
            named,
            abi.encode(uint256(1)),
            named,
            named,
            named,
            named,
            abi.encode(uint256(1)),
            abi.encode(did)
        ];
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < wanted.length; ++i) {
            equal(keccak256(logs[i].data), keccak256(wanted[i]), "data");
        }
    }

    function test_every_view_says_what_is_there_and_what_is_not() public {
        equal(proxy.getMasterKeyAddr(ALICE), address(0), "unknown");
        equal(proxy.getVeriLen(ALICE), 0, "unknown");
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidUnknown.selector, ALICE));
        proxy.getMasterVerification(ALICE);
        vm.expectRevert(abi.encodeWithSelector(DidRecord.OutOfIndex.selector, 0, 0));
        proxy.getVeri(ALICE, 0);
        _create(ALICE_SECRET, ALICE);
        (address known, bool deactivated) = accountDid.data(ALICE);
        equal(known, vm.addr(ALICE_SECRET), "master");
        check(!deactivated, "alive");
        PublicKey memory key = proxy.getMasterVerification(ALICE);
        equal(keccak256(key.pubKeyData), keccak256(abi.encodePacked(vm.addr(ALICE_SECRET))), "master key");
        equal(keccak256(bytes(key.methodType)), keccak256(bytes(RECOVERY)), "its type");
        check(!key.deactivated, "its state");
        vm.expectRevert(abi.encodeWithSelector(DidRecord.OutOfIndex.selector, 1, 1));
        proxy.getVeri(ALICE, 1);
        proxy.deactivateDID(ALICE, true, _sign(ALICE_SECRET, DidMessages.deactivateDid(ALICE, 1)));
        (known, deactivated) = accountDid.data(ALICE);
        equal(known, vm.addr(ALICE_SECRET), "the master is still known");
        check(deactivated, "deactivated");
    }

    function test_a_url_has_a_length() public {
        _create(ALICE_SECRET, ALICE);
        bytes memory long = new bytes(DidText.MAX_URL_BYTES + 1);
        bytes memory signature = _sign(ALICE_SECRET, DidMessages.relation("addAuthentication", ALICE, string(long), 1));
        vm.expectRevert(abi.encodeWithSelector(DidText.InvalidUrl.selector, 130, 129));
        proxy.addAuth(ALICE, string(long), signature);
        signature = _sign(ALICE_SECRET, DidMessages.relation("addRecovery", ALICE, "", 1));
        vm.expectRevert(abi.encodeWithSelector(DidText.InvalidUrl.selector, 0, 129));
        proxy.addRecovery(ALICE, "", signature);
        bytes memory whole = new bytes(DidText.MAX_URL_BYTES);
        proxy.addAuth(
            ALICE,
            string(whole),
            _sign(ALICE_SECRET, DidMessages.relation("addAuthentication", ALICE, string(whole), 1))
        );
        check(proxy.inAuth(ALICE, string(whole)), "the longest is taken");
    }

    function test_a_method_is_updated_by_the_master_of_its_controller_alone() public {
        _addMethodOfBob();
        bytes memory key = abi.encodePacked(vm.addr(7));
        bytes memory message = DidMessages.updateVerification(ALICE, 1, RECOVERY, key, 2);
        bytes memory signature = _sign(ALICE_SECRET, message);
        vm.expectRevert(abi.encodeWithSelector(DidProxy.WrongSignature.selector, ALICE, 2));
        proxy.updateVeri(ALICE, 1, RECOVERY, key, signature);
        proxy.updateVeri(ALICE, 1, RECOVERY, key, _sign(BOB_SECRET, message));
        equal(keccak256(proxy.getVeri(ALICE, 1).pubKeyData), keccak256(key), "his key");
        equal(proxy.getNonce(ALICE), 3, "it used a number of the DID that was changed");
        equal(proxy.getNonce(BOB), 1, "and none of the controller");
    }

    function test_a_deactivated_controller_updates_nothing() public {
        _addMethodOfBob();
        proxy.deactivateDID(BOB, true, _sign(BOB_SECRET, DidMessages.deactivateDid(BOB, 1)));
        bytes memory key = abi.encodePacked(vm.addr(7));
        bytes memory signature = _sign(BOB_SECRET, DidMessages.updateVerification(ALICE, 1, RECOVERY, key, 2));
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidDeactivated.selector, BOB));
        proxy.updateVeri(ALICE, 1, RECOVERY, key, signature);
    }

    function test_a_deactivated_method_is_not_updated_back_to_life() public {
        _addMethodOfBob();
        proxy.deactivateVeri(ALICE, 1, true, _sign(ALICE_SECRET, DidMessages.deactivateVerification(ALICE, 1, 2)));
        bytes memory key = abi.encodePacked(vm.addr(7));
        bytes memory signature = _sign(BOB_SECRET, DidMessages.updateVerification(ALICE, 1, RECOVERY, key, 3));
        vm.expectRevert(abi.encodeWithSelector(DidRecord.VerificationDeactivated.selector, 1));
        proxy.updateVeri(ALICE, 1, RECOVERY, key, signature);
        signature = _sign(ALICE_SECRET, DidMessages.deactivateVerification(ALICE, 1, 3));
        vm.expectRevert(DidProxy.DeactivationIsFinal.selector);
        proxy.deactivateVeri(ALICE, 1, false, signature);
        check(proxy.getVeri(ALICE, 1).deactivated, "it stays so");
    }

    function test_a_typed_signature_counts_at_its_own_contract_alone() public {
        AccountDid storage_ = new AccountDid(vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1));
        DidProxy other = new DidProxy(storage_, address(this));
        bytes memory key = read(0).publicKey;
        bytes memory signature = typed(0);
        vm.expectRevert(abi.encodeWithSelector(DidProxy.WrongSignature.selector, did, 0));
        other.createDID(did, SECP256K1, key, signature);
        proxy.createDID(did, SECP256K1, key, signature);
    }

    /// @dev Alice gets a method at index 1 that Bob controls; that takes the typed form.
    function _addMethodOfBob() private {
        _create(ALICE_SECRET, ALICE);
        _create(BOB_SECRET, BOB);
        bytes memory key = abi.encodePacked(vm.addr(6));
        bytes32 typeHash =
            keccak256("AddVerification(string did,string methodType,string controller,bytes publicKey,uint64 nonce)");
        bytes32 fields = keccak256(
            abi.encode(
                typeHash,
                keccak256(bytes(ALICE)),
                keccak256(bytes(RECOVERY)),
                keccak256(bytes(BOB)),
                keccak256(key),
                uint64(1)
            )
        );
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("MEMO"),
                keccak256("1"),
                block.chainid,
                address(proxy)
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE_SECRET, MessageHashUtils.toTypedDataHash(domain, fields));
        proxy.addVeri(ALICE, PublicKey(RECOVERY, BOB, key, false), abi.encodePacked(r, s, v));
        equal(keccak256(bytes(proxy.getVeri(ALICE, 1).controller)), keccak256(bytes(BOB)), "controller");
    }

    function _create(uint256 secret, string memory id) private {
        bytes memory key = abi.encodePacked(vm.addr(secret));
        proxy.createDID(id, RECOVERY, key, _sign(secret, DidMessages.createDid(id, RECOVERY, key)));
    }

    function _sign(uint256 secret, bytes memory message) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, MessageHashUtils.toEthSignedMessageHash(message));
        return abi.encodePacked(r, s, v);
    }
}
