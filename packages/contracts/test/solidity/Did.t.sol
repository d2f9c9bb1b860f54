// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AccountDid} from "../../src/AccountDid.sol";
import {DidProxy} from "../../src/DidProxy.sol";
import {DidMessages} from "../../src/libraries/DidMessages.sol";
import {DidRecord} from "../../src/libraries/DidRecord.sol";
import {DidText} from "../../src/libraries/DidText.sol";
import {MethodKeys} from "../../src/libraries/MethodKeys.sol";
import {PublicKey, Verification} from "../../src/types/DidTypes.sol";
import {DidVectors} from "./support/DidVectors.sol";
import {Vm} from "./support/Test.sol";

contract DidTest is DidVectors {
    string private constant SECP256K1 = "EcdsaSecp256k1VerificationKey2019";
    string private constant RECOVERY = "EcdsaSecp256k1RecoveryMethod2020";
    string private constant OTHER_DID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    function test_the_legacy_vectors_carry_a_did_through_its_life() public {
        for (uint256 nonce = 0; nonce < count(); ++nonce) {
            equal(proxy.getNonce(did), nonce, "each operation uses one nonce");
            send(nonce, legacy(nonce));
            _checkAfter(nonce);
        }
    }

    function test_the_typed_vectors_carry_a_did_through_its_life() public {
        for (uint256 nonce = 0; nonce < count(); ++nonce) {
            send(nonce, typed(nonce));
            _checkAfter(nonce);
        }
    }

    function test_both_forms_are_refused_twice() public {
        send(0, legacy(0));
        send(1, legacy(1));
        vm.expectRevert(abi.encodeWithSelector(DidProxy.WrongSignature.selector, did, 2));
        this.sendOutside(1, legacy(1));
        vm.expectRevert(abi.encodeWithSelector(DidProxy.WrongSignature.selector, did, 2));
        this.sendOutside(1, typed(1));
    }

    function test_a_typed_signature_counts_on_its_own_chain_alone() public {
        vm.chainId(986);
        vm.expectRevert(abi.encodeWithSelector(DidProxy.WrongSignature.selector, did, 0));
        this.sendOutside(0, typed(0));
        vm.chainId(985);
        this.sendOutside(0, typed(0));
    }

    function test_the_events_are_those_of_the_original() public {
        vm.recordLogs();
        for (uint256 nonce = 0; nonce < count(); ++nonce) {
            send(nonce, legacy(nonce));
        }
        bytes32[13] memory signatures = [
            keccak256("CreateDID(string)"),
            keccak256("AddVeri(string,uint256)"),
            keccak256("AddAuth(string,string)"),
            keccak256("AddAssertion(string,string)"),
            keccak256("AddDelegation(string,string,uint256)"),
            keccak256("AddRecovery(string,string)"),
            keccak256("UpdateVeri(string,uint256)"),
            keccak256("RemoveAuth(string,string)"),
            keccak256("RemoveAssertion(string,string)"),
            keccak256("RemoveDelegation(string,string)"),
            keccak256("RemoveRecovery(string,string)"),
            keccak256("DeactivateVeri(string,uint256)"),
            keccak256("DeactivateDID(string)")
        ];
        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs.length, signatures.length, "one event per operation");
        for (uint256 i = 0; i < logs.length; ++i) {
            equal(logs[i].topics[0], signatures[i], "signature");
            equal(logs[i].emitter, address(accountDid), "the storage contract emits");
            bool named = i == 0 || i == 12;
            equal(logs[i].topics.length, named ? 1 : 2, "creation and deactivation are not indexed");
            if (!named) equal(logs[i].topics[1], keccak256(bytes(did)), "the topic is the hash of the id");
        }
    }

    function test_the_master_address_is_that_of_the_key_whoever_relays() public {
        send(0, legacy(0));
        equal(proxy.getMasterKeyAddr(did), master, "derived from the key");
        PublicKey memory key = proxy.getMasterVerification(did);
        equal(key.controller, did, "the DID controls its master key");
        Verification memory stored = accountDid.getVeri(did, 0);
        bytes32 hash = keccak256(abi.encodePacked(stored.pubKeyPoint[0], stored.pubKeyPoint[1]));
        equal(address(uint160(uint256(hash))), master, "the stored point is the key's");
    }

    function test_a_stranger_cannot_take_a_did_into_use() public {
        bytes memory key = read(0).publicKey;
        (bytes memory signature,) = _sign(0xbad, DidMessages.createDid(OTHER_DID, SECP256K1, key));
        vm.expectRevert(abi.encodeWithSelector(DidProxy.WrongSignature.selector, OTHER_DID, 0));
        proxy.createDID(OTHER_DID, SECP256K1, key, signature);
    }

    function test_a_did_is_created_once_in_whatever_case() public {
        string memory upper = "ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD";
        string memory lower = "abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcd";
        _createWithAddress(0xa11ce, upper);
        equal(proxy.getNonce(lower), 1, "one nonce");
        equal(proxy.getMasterKeyAddr(lower), vm.addr(0xa11ce), "one DID");
        bytes memory key = abi.encodePacked(vm.addr(0xb0b));
        (bytes memory signature,) = _sign(0xb0b, DidMessages.createDid(lower, RECOVERY, key));
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidExists.selector, lower));
        proxy.createDID(lower, RECOVERY, key, signature);
        equal(proxy.getNonce(lower), 1, "a refused creation resets no nonce");
    }

    function test_what_is_no_id_is_no_did() public {
        string[3] memory bad = ["", "abc", "zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(DidText.InvalidDid.selector, bad[i]));
            proxy.getNonce(bad[i]);
        }
    }

    function test_an_unknown_did_takes_no_method() public {
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidUnknown.selector, did));
        this.sendOutside(1, legacy(1));
    }

    function test_a_deactivated_did_stays_so_and_takes_nothing() public {
        _createWithAddress(0xa11ce, OTHER_DID);
        (bytes memory signature,) = _sign(0xa11ce, DidMessages.deactivateDid(OTHER_DID, 1));
        vm.expectRevert(DidProxy.DeactivationIsFinal.selector);
        proxy.deactivateDID(OTHER_DID, false, signature);
        proxy.deactivateDID(OTHER_DID, true, signature);
        check(proxy.isDeactivated(OTHER_DID), "deactivated");
        equal(proxy.getVeriLen(OTHER_DID), 1, "views still answer");
        (signature,) = _sign(0xa11ce, DidMessages.relation("addAuthentication", OTHER_DID, "did:memo:x#key-1", 2));
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidDeactivated.selector, OTHER_DID));
        proxy.addAuth(OTHER_DID, "did:memo:x#key-1", signature);
    }

    function test_a_legacy_method_for_one_did_cannot_be_moved_to_another() public {
        _createWithAddress(0xa11ce, OTHER_DID);
        _createWithAddress(0xa11ce, did);
        bytes memory key = abi.encodePacked(vm.addr(0xb0b));
        (bytes memory signature,) = _sign(0xa11ce, DidMessages.addVerification(RECOVERY, OTHER_DID, key, 1));
        vm.expectRevert(abi.encodeWithSelector(DidProxy.ForeignControllerNeedsTypedData.selector, OTHER_DID));
        proxy.addVeri(did, PublicKey(RECOVERY, OTHER_DID, key, false), signature);
        proxy.addVeri(OTHER_DID, PublicKey(RECOVERY, OTHER_DID, key, false), signature);
        equal(proxy.getVeriLen(OTHER_DID), 2, "its own DID takes it");
    }

    function test_the_master_key_is_neither_replaced_nor_deactivated() public {
        _createWithAddress(0xa11ce, OTHER_DID);
        (bytes memory signature,) = _sign(0xa11ce, DidMessages.deactivateVerification(OTHER_DID, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(DidRecord.OutOfIndex.selector, 0, 1));
        proxy.deactivateVeri(OTHER_DID, 0, true, signature);
        bytes memory key = abi.encodePacked(vm.addr(0xb0b));
        (signature,) = _sign(0xa11ce, DidMessages.updateVerification(OTHER_DID, 0, RECOVERY, key, 1));
        vm.expectRevert(abi.encodeWithSelector(DidRecord.OutOfIndex.selector, 0, 1));
        proxy.updateVeri(OTHER_DID, 0, RECOVERY, key, signature);
    }

    function test_keys_must_fit_their_type() public {
        bytes memory key = read(0).publicKey;
        _expectKeyRefused(SECP256K1, abi.encodePacked(key, hex"00"));
        key[0] = 0x04;
        _expectKeyRefused(SECP256K1, key);
        _expectKeyRefused(SECP256K1, abi.encodePacked(hex"02", type(uint256).max));
        // 5^3 + 7 = 132 has no square root in the field.
        _expectKeyRefused(SECP256K1, abi.encodePacked(hex"02", uint256(5)));
        _expectKeyRefused(RECOVERY, abi.encodePacked(address(0)));
        vm.expectRevert(abi.encodeWithSelector(MethodKeys.UnknownMethodType.selector, "Nonsense"));
        proxy.createDID(did, "Nonsense", key, "");
        vm.expectRevert(abi.encodeWithSelector(MethodKeys.MasterCannotSign.selector, "Ed25519VerificationKey2018"));
        proxy.createDID(did, "Ed25519VerificationKey2018", new bytes(32), "");
    }

    function test_only_the_proxy_writes_to_the_storage() public {
        uint256[2] memory point;
        vm.expectRevert(abi.encodeWithSelector(AccountDid.NotOwner.selector, address(this)));
        accountDid.createDID(did, RECOVERY, abi.encodePacked(address(this)), point);
    }

    function test_the_storage_checks_the_point_itself() public {
        uint256[2] memory point = [uint256(1), 2];
        vm.expectRevert(MethodKeys.PointMismatch.selector);
        vm.prank(address(proxy));
        accountDid.createDID(did, SECP256K1, read(0).publicKey, point);
    }

    function test_methods_are_bounded() public {
        _createWithAddress(0xa11ce, OTHER_DID);
        bytes memory key = abi.encodePacked(vm.addr(0xb0b));
        for (uint64 nonce = 1; nonce <= DidRecord.MAX_METHODS; ++nonce) {
            (bytes memory signature,) = _sign(0xa11ce, DidMessages.addVerification(RECOVERY, OTHER_DID, key, nonce));
            if (nonce == DidRecord.MAX_METHODS) {
                vm.expectRevert(abi.encodeWithSelector(DidRecord.TooManyMethods.selector, DidRecord.MAX_METHODS));
            }
            proxy.addVeri(OTHER_DID, PublicKey(RECOVERY, OTHER_DID, key, false), signature);
        }
    }

    function test_a_contract_can_be_the_master() public {
        Wallet wallet = new Wallet();
        bytes memory key = abi.encodePacked(address(wallet));
        vm.expectRevert(abi.encodeWithSelector(DidProxy.WrongSignature.selector, OTHER_DID, 0));
        proxy.createDID(OTHER_DID, RECOVERY, key, "no");
        proxy.createDID(OTHER_DID, RECOVERY, key, "yes");
        equal(proxy.getMasterKeyAddr(OTHER_DID), address(wallet), "master");
    }

    function testFuzz_a_changed_signature_is_refused(uint256 position, uint8 change) public {
        bytes memory signature = legacy(0);
        position %= 65;
        vm.assume(change != 0);
        signature[position] = bytes1(uint8(signature[position]) ^ change);
        // 0 and 27, 1 and 28 mean the same.
        vm.assume(position != 64 || uint8(signature[64]) != 28);
        vm.expectRevert(abi.encodeWithSelector(DidProxy.WrongSignature.selector, did, 0));
        this.sendOutside(0, signature);
    }

    function testFuzz_a_truncated_signature_is_refused(uint256 length) public {
        bytes memory signature = legacy(0);
        length %= 65;
        assembly ("memory-safe") {
            mstore(signature, length)
        }
        vm.expectRevert(abi.encodeWithSelector(DidProxy.WrongSignature.selector, did, 0));
        this.sendOutside(0, signature);
    }

    function testFuzz_a_key_gives_the_address_of_its_secret(uint256 secret) public {
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        secret = 1 + secret % (order - 1);
        Vm.Wallet memory wallet = vm.createWallet(secret);
        bytes memory key = abi.encodePacked(uint8(2 + (wallet.publicKeyY & 1)), wallet.publicKeyX);
        uint256[2] memory point = MethodKeys.decompress(key);
        equal(point[1], wallet.publicKeyY, "y");
        equal(MethodKeys.signerOf(SECP256K1, key, point), wallet.addr, "address");
    }

    /// @dev Outside calls, so that expectRevert sees one call.
    function sendOutside(uint256 nonce, bytes memory signature) external {
        send(nonce, signature);
    }

    function _checkAfter(uint256 nonce) private view {
        string memory url = read(2).url;
        check(proxy.inAuth(did, url) == (nonce >= 2 && nonce < 7), "authentication");
        check(proxy.inAssertion(did, url) == (nonce >= 3 && nonce < 8), "assertion");
        equal(proxy.inDelegation(did, url), nonce >= 4 && nonce < 9 ? 1_800_000_000 : 0, "delegation");
        check(proxy.inRecovery(did, url) == (nonce >= 5 && nonce < 10), "recovery");
        equal(proxy.getVeriLen(did), nonce >= 1 ? 2 : 1, "methods");
        if (nonce >= 1) {
            PublicKey memory key = proxy.getVeri(did, 1);
            equal(keccak256(key.pubKeyData), keccak256(read(nonce < 6 ? 1 : 6).publicKey), "key-1");
            check(key.deactivated == (nonce >= 11), "deactivated method");
        }
        check(proxy.isDeactivated(did) == (nonce == 12), "deactivated DID");
    }

    function _createWithAddress(uint256 secret, string memory id) private {
        bytes memory key = abi.encodePacked(vm.addr(secret));
        (bytes memory signature,) = _sign(secret, DidMessages.createDid(id, RECOVERY, key));
        proxy.createDID(id, RECOVERY, key, signature);
    }

    function _sign(uint256 secret, bytes memory message) private pure returns (bytes memory, bytes32 digest) {
        digest = MessageHashUtils.toEthSignedMessageHash(message);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, digest);
        return (abi.encodePacked(r, s, v), digest);
    }

    function _expectKeyRefused(string memory methodType, bytes memory key) private {
        vm.expectRevert(MethodKeys.InvalidPublicKey.selector);
        proxy.createDID(did, methodType, key, "");
    }
}

/// @notice A smart account that agrees to "yes".
contract Wallet {
    function isValidSignature(bytes32, bytes calldata signature) external pure returns (bytes4) {
        return keccak256(signature) == keccak256("yes") ? this.isValidSignature.selector : bytes4(0);
    }
}
