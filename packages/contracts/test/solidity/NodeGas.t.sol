// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AccountDid} from "../../src/AccountDid.sol";
import {Checkpoints} from "../../src/Checkpoints.sol";
import {DidProxy} from "../../src/DidProxy.sol";
import {Pledges} from "../../src/Pledges.sol";
import {Reads} from "../../src/Reads.sol";
import {Registry} from "../../src/Registry.sol";
import {Roles} from "../../src/Roles.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Accounts} from "../../src/libraries/Accounts.sol";
import {DidMessages} from "../../src/libraries/DidMessages.sol";
import {DidText} from "../../src/libraries/DidText.sol";
import {KeeperSet} from "../../src/libraries/KeeperSet.sol";
import {PublicKey} from "../../src/types/DidTypes.sol";
import {Contact, Offer} from "../../src/types/RoleTypes.sol";
import {GasMeter} from "./support/GasMeter.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @notice Accounts, pledges, keys and checkpoints at the worst state that their limits allow.
contract NodeGasTest is OrderNetwork, GasMeter {
    string private constant SECP256K1 = "EcdsaSecp256k1VerificationKey2019";
    string private constant RECOVERY = "EcdsaSecp256k1RecoveryMethod2020";
    string private constant ID = "AA23456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
    address private constant STRANGER = address(0x57a);

    AccountDid private accountDid;
    DidProxy private didProxy;
    Checkpoints private checkpoints;
    Registry private registry;
    bytes private publicKey;
    uint64 private id;

    function setUp() public override {
        super.setUp();
        accountDid = new AccountDid(next(1));
        didProxy = new DidProxy(accountDid, address(this));
        checkpoints = new Checkpoints(accountDid, IAccounts(address(roles)));
        registry = new Registry(address(governance), 1, new Registry.Entry[](0));
        uint256 point = vm.createWallet(USER_KEY).publicKeyY;
        publicKey = abi.encodePacked(uint8(2 + (point & 1)), vm.createWallet(USER_KEY).publicKeyX);
        didProxy.createDID(ID, SECP256K1, publicKey, _signed(DidMessages.createDid(ID, SECP256K1, publicKey)));
        bytes memory message = DidMessages.addVerification(SECP256K1, ID, publicKey, 1);
        didProxy.addVeri(ID, PublicKey(SECP256K1, ID, publicKey, false), _signed(message));
        string memory url = "did:memo:aa23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef#key-1";
        didProxy.addAuth(ID, url, _signed(DidMessages.relation("addAuthentication", ID, url, 2)));
        for (uint160 i = 1; i < KeeperSet.MAX_KEEPERS; ++i) {
            registerKeeper(address(i << 96));
            pledges.deposit(address(i << 96), KEEPER);
        }
        registerKeeper(vm.addr(KEEPER_KEY));
        token.transfer(vm.addr(KEEPER_KEY), KEEPER);
        id = open(1000, 0, orders.currentEpoch() + 5);
        vm.prank(user);
        reads.allow(id, 1000, type(uint128).max);
        vm.prank(user);
        reads.announceClose(id);
        pledges.deposit(provider, 1 ether);
        vm.prank(provider);
        escrow.setPayee(provider, STRANGER);
        vm.prank(STRANGER);
        pledges.announceWithdrawal(provider, 1 ether);
        for (uint256 i = 1; i < registry.MAX_ENTRIES(); ++i) {
            registry.set(bytes32(i), STRANGER);
        }
        passTime(LOCK_SECONDS, LOCK_BLOCKS);
    }

    function test_gas_register_provider() public {
        Offer memory most = Offer(type(uint64).max, type(uint128).max, type(uint128).max);
        bytes memory data = abi.encodeCall(Roles.registerProvider, (_longest(), most));
        measure("provider with the longest texts", STRANGER, address(roles), data);
    }

    function test_gas_labels() public {
        string memory label = _text(Accounts.MAX_LABEL_BYTES);
        measure("longest labels", provider, address(roles), abi.encodeCall(Roles.setLabels, (label, label)));
    }

    function test_gas_pledge_of_the_last_keeper() public {
        address keeper = vm.addr(KEEPER_KEY);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEEPER_KEY, _permitDigest(keeper));
        bytes memory data = abi.encodeCall(Pledges.depositWithPermit, (keeper, KEEPER, type(uint256).max, v, r, s));
        measure("pledge by permit of the sixty-fourth keeper", keeper, address(pledges), data);
    }

    function test_gas_pledge_withdrawal() public {
        bytes memory data = abi.encodeCall(Pledges.withdraw, (provider));
        measure("pledge withdrawal", STRANGER, address(pledges), data);
    }

    function test_gas_slash() public {
        bytes memory data = abi.encodeCall(Pledges.slash, (address(1 << 96), 1, STRANGER));
        measure("slash of one of 63 keepers", SLASHER, address(pledges), data);
    }

    function test_gas_close_reads() public {
        measure("read allowance closed", user, address(reads), abi.encodeCall(Reads.close, (id)));
    }

    function test_gas_add_method() public {
        bytes memory message = DidMessages.addVerification(SECP256K1, ID, publicKey, 3);
        PublicKey memory method = PublicKey(SECP256K1, ID, publicKey, false);
        bytes memory data = abi.encodeCall(DidProxy.addVeri, (ID, method, _signed(message)));
        measure("DID method added", STRANGER, address(didProxy), data);
    }

    function test_gas_update_method() public {
        bytes memory key = abi.encodePacked(STRANGER);
        bytes memory message = DidMessages.updateVerification(ID, 1, RECOVERY, key, 3);
        bytes memory data = abi.encodeCall(DidProxy.updateVeri, (ID, 1, RECOVERY, key, _signed(message)));
        measure("DID method replaced", STRANGER, address(didProxy), data);
    }

    function test_gas_relation() public {
        string memory url = _text(DidText.MAX_URL_BYTES);
        bytes memory message = DidMessages.addDelegation(ID, url, type(uint256).max, 3);
        bytes memory data = abi.encodeCall(DidProxy.addDelegation, (ID, url, type(uint256).max, _signed(message)));
        measure("DID delegation of the longest URL", STRANGER, address(didProxy), data);
    }

    function test_gas_signed_checkpoint() public {
        bytes memory placement = bytes(_text(checkpoints.MAX_PLACEMENT_BYTES()));
        bytes32 kind = keccak256("Checkpoint(string did,address writer,uint64 seq,bytes32 hash,bytes32 placementHash)");
        bytes32 hash = keccak256("head");
        bytes32 structHash =
            keccak256(abi.encode(kind, keccak256(bytes(ID)), user, uint64(1), hash, keccak256(placement)));
        bytes memory signature = sign(USER_KEY, digestOf(structHash, address(checkpoints)));
        bytes memory data = abi.encodeCall(Checkpoints.writeSigned, (ID, 1, 1, hash, placement, signature));
        measure("checkpoint of 256 pieces, signed by a key", STRANGER, address(checkpoints), data);
    }

    function test_gas_registry() public {
        bytes memory data = abi.encodeCall(Registry.set, (bytes32(registry.MAX_ENTRIES()), STRANGER));
        measure("the last of 128 names", address(this), address(registry), data);
    }

    function _signed(bytes memory message) private pure returns (bytes memory) {
        return sign(USER_KEY, MessageHashUtils.toEthSignedMessageHash(message));
    }

    function _permitDigest(address owner) private view returns (bytes32) {
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash =
            keccak256(abi.encode(kind, owner, address(pledges), uint256(KEEPER), uint256(0), type(uint256).max));
        return keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
    }

    function _longest() private pure returns (Contact memory) {
        string memory label = _text(Accounts.MAX_LABEL_BYTES);
        return Contact(_text(Accounts.MAX_ENDPOINT_BYTES), label, label);
    }

    function _text(uint256 length) private pure returns (string memory) {
        bytes memory text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            text[i] = 0xff;
        }
        return string(text);
    }
}
