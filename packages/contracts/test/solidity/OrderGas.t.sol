// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AccountDid} from "../../src/AccountDid.sol";
import {Checkpoints} from "../../src/Checkpoints.sol";
import {DidProxy} from "../../src/DidProxy.sol";
import {Escrow} from "../../src/Escrow.sol";
import {Orders} from "../../src/Orders.sol";
import {Reads} from "../../src/Reads.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Accounts} from "../../src/libraries/Accounts.sol";
import {DidMessages} from "../../src/libraries/DidMessages.sol";
import {KeeperSet} from "../../src/libraries/KeeperSet.sol";
import {OrderBook} from "../../src/libraries/OrderBook.sol";
import {OrderTypedData} from "../../src/libraries/OrderTypedData.sol";
import {AmendmentTerms, OrderTerms} from "../../src/types/OrderTypes.sol";
import {Contact} from "../../src/types/RoleTypes.sol";
import {GasMeter} from "./support/GasMeter.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @notice Orders, reads, escrow, DIDs and checkpoints at the worst state that their limits allow.
contract OrderGasTest is OrderNetwork, GasMeter {
    string private constant SECP256K1 = "EcdsaSecp256k1VerificationKey2019";
    string private constant ID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    uint64 private constant FIRST = 101;
    uint64 private constant EPOCHS = 2048;
    address private constant STRANGER = address(0x57a);

    AccountDid private accountDid;
    DidProxy private didProxy;
    Checkpoints private checkpoints;
    uint64 private settled;
    uint64 private full;
    uint64 private fresh;

    function setUp() public override {
        super.setUp();
        string memory label = string(new bytes(Accounts.MAX_LABEL_BYTES));
        vm.prank(provider);
        roles.setLabels(label, label);
        vm.prank(provider);
        roles.setEndpoint(string(new bytes(Accounts.MAX_ENDPOINT_BYTES)));
        accountDid = new AccountDid(next(1));
        didProxy = new DidProxy(accountDid, address(this));
        checkpoints = new Checkpoints(accountDid, IAccounts(address(roles)));
        string memory other = "aa23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        (string memory kind, bytes memory key) = ("EcdsaSecp256k1RecoveryMethod2020", abi.encodePacked(user));
        bytes memory message = DidMessages.createDid(other, kind, key);
        didProxy.createDID(other, kind, key, sign(USER_KEY, MessageHashUtils.toEthSignedMessageHash(message)));
        settled = open(1000, FIRST, FIRST + EPOCHS);
        _fillSegments(settled);
        _failAll();
        full = open(1000, 0, orders.currentEpoch() + 100);
        for (uint64 i = 1; i < OrderBook.MAX_SEGMENTS - 1; ++i) {
            vm.prank(user);
            orders.shrink(full, 1000 - i);
            goToEpoch(orders.currentEpoch() + 1);
        }
        fresh = open(1000, 0, orders.currentEpoch() + 5);
        vm.prank(user);
        reads.allow(fresh, 1000, type(uint128).max);
        for (uint160 i = 0; i < KeeperSet.MAX_KEEPERS; ++i) {
            address keeper = address((i + 1) << 96);
            vm.prank(keeper);
            roles.registerKeeper(Contact("http://127.0.0.1:1", "", ""));
            pledges.deposit(keeper, KEEPER);
        }
        _earnForKeepers();
        goToEpoch(orders.currentEpoch() + 1);
    }

    function test_gas_deposit() public {
        token.approve(address(escrow), 1 ether);
        measure("escrow deposit", address(this), address(escrow), abi.encodeCall(Escrow.deposit, (STRANGER, 1 ether)));
    }

    function test_gas_withdraw() public {
        measure("escrow withdrawal", user, address(escrow), abi.encodeCall(Escrow.withdraw, (user, 1)));
    }

    function test_gas_order() public {
        uint64 start = orders.currentEpoch() + 1;
        OrderTerms memory order = terms(type(uint32).max, start, start + 2048);
        bytes memory data =
            abi.encodeCall(Orders.open, (order, signOrder(USER_KEY, order), signOrder(PROVIDER_KEY, order)));
        measure("order", STRANGER, address(orders), data);
    }

    function test_gas_amendment() public {
        AmendmentTerms memory change = amendment(full, type(uint32).max, orders.currentEpoch() + 3000);
        bytes32 digest = digestOf(OrderTypedData.amendment(change), address(orders));
        bytes memory data = abi.encodeCall(Orders.amend, (change, sign(USER_KEY, digest), sign(PROVIDER_KEY, digest)));
        measure("amendment, the sixteenth that waits", STRANGER, address(orders), data);
    }

    function test_gas_shrink() public {
        measure("shrink", user, address(orders), abi.encodeCall(Orders.shrink, (full, 1)));
    }

    function test_gas_settle() public {
        equal(orders.getSegments(settled).length, OrderBook.MAX_SEGMENTS, "all segments wait");
        bytes memory data = abi.encodeCall(Orders.settle, (settled, type(uint64).max));
        measure("claim of 2,048 epochs, nearly all failed, over 16 segments", STRANGER, address(orders), data);
    }

    function test_gas_share() public {
        bytes memory data = abi.encodeCall(Orders.shareKeeperFees, (1));
        measure("fees shared among 64 keepers", STRANGER, address(orders), data);
    }

    function test_gas_read_allowance() public {
        bytes memory data = abi.encodeCall(Reads.allow, (settled, 1000, type(uint128).max));
        measure("read allowance", user, address(reads), data);
    }

    function test_gas_read_voucher() public {
        bytes memory data = abi.encodeCall(Reads.redeem, (fresh, user, 999, signRead(USER_KEY, fresh, 0, 999)));
        measure("read voucher", STRANGER, address(reads), data);
    }

    function test_gas_create_did() public {
        bytes memory key = abi.encodePacked(
            uint8(2 + (vm.createWallet(USER_KEY).publicKeyY & 1)), vm.createWallet(USER_KEY).publicKeyX
        );
        bytes32 digest = MessageHashUtils.toEthSignedMessageHash(DidMessages.createDid(ID, SECP256K1, key));
        bytes memory data = abi.encodeCall(DidProxy.createDID, (ID, SECP256K1, key, sign(USER_KEY, digest)));
        measure("DID creation", STRANGER, address(didProxy), data);
    }

    function test_gas_checkpoint() public {
        bytes memory placement = new bytes(checkpoints.MAX_PLACEMENT_BYTES());
        for (uint256 i = 0; i < placement.length; ++i) {
            placement[i] = 0xff;
        }
        string memory other = "aa23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        bytes memory data = abi.encodeCall(Checkpoints.write, (other, 1, keccak256("head"), placement));
        measure("checkpoint of 256 pieces", user, address(checkpoints), data);
    }

    /// @dev A change in each of the first epochs, so that settling meets as many segments as may wait.
    function _fillSegments(uint64 id) private {
        for (uint64 i = 1; i < OrderBook.MAX_SEGMENTS; ++i) {
            goToEpoch(FIRST + i - 1);
            vm.prank(user);
            orders.shrink(id, 1000 - i);
        }
    }

    /// @dev Every epoch is failed whose window is open still, and then all windows close. Some are not: there is money for all.
    function _failAll() private {
        for (uint64 epoch = FIRST; epoch < FIRST + EPOCHS; ++epoch) {
            if (epoch > orders.currentEpoch()) goToEpoch(epoch);
            if (epoch < orders.closedBefore()) continue;
            vm.prank(JUDGE);
            orders.setFailed(provider, epoch, true);
        }
        closeEpochsBefore(FIRST + EPOCHS);
        orders.pinEpoch();
    }

    function _earnForKeepers() private {
        uint64 id = open(GIB, 0, orders.currentEpoch() + 3);
        closeEpochsBefore(getOrder(id).end);
        settleAll(id);
    }
}
