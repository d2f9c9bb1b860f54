// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {OrderTypedData} from "../../../src/libraries/OrderTypedData.sol";
import {AmendmentTerms, Order, OrderTerms} from "../../../src/types/OrderTypes.sol";
import {Network} from "./Network.sol";

/// @notice A network with a user who has escrow and a provider who has pledged, and what they sign.
abstract contract OrderNetwork is Network {
    uint256 internal constant USER_KEY = 0xa11ce;
    uint256 internal constant PROVIDER_KEY = 0xb0b;
    uint256 internal constant KEEPER_KEY = 0xcee;
    uint128 internal constant PRICE = 1000 gwei;
    uint64 internal constant CAPACITY_GIB = 100;
    uint256 internal constant ESCROWED = 10_000 ether;

    address internal user;
    address internal provider;
    uint64 internal nonces;

    function setUp() public virtual override {
        super.setUp();
        user = vm.addr(USER_KEY);
        provider = vm.addr(PROVIDER_KEY);
        vm.prank(user);
        roles.registerUser();
        joinProvider(provider);
        escrow.deposit(user, ESCROWED);
        goToEpoch(100);
    }

    function joinProvider(address owner) internal {
        registerProvider(owner, CAPACITY_GIB);
        pledges.deposit(owner, BASE + CAPACITY_GIB * RATE_PER_GIB);
    }

    function terms(uint64 sizeBytes, uint64 start, uint64 end) internal returns (OrderTerms memory) {
        uint64 submitBy = uint64(vm.getBlockTimestamp()) + 60;
        return OrderTerms(user, provider, nonces++, sizeBytes, PRICE, start, end, submitBy);
    }

    /// @notice Opens an order of the user with the provider, both signing, submitted by a stranger.
    function open(uint64 sizeBytes, uint64 start, uint64 end) internal returns (uint64) {
        return submit(terms(sizeBytes, start, end));
    }

    function submit(OrderTerms memory order) internal returns (uint64) {
        bytes memory byUser = signOrder(USER_KEY, order);
        bytes memory byProvider = signOrder(PROVIDER_KEY, order);
        vm.prank(address(0x57a));
        return orders.open(order, byUser, byProvider);
    }

    function amend(uint64 orderId, uint64 sizeBytes, uint64 end) internal {
        submitAmendment(amendment(orderId, sizeBytes, end));
    }

    function amendment(uint64 orderId, uint64 sizeBytes, uint64 end) internal view returns (AmendmentTerms memory) {
        uint64 seq = orders.getOrder(orderId).seq;
        return AmendmentTerms(orderId, seq, sizeBytes, PRICE, end, uint64(vm.getBlockTimestamp()) + 60);
    }

    function submitAmendment(AmendmentTerms memory change) internal {
        bytes32 digest = digestOf(OrderTypedData.amendment(change), address(orders));
        (bytes memory byUser, bytes memory byProvider) = (sign(USER_KEY, digest), sign(PROVIDER_KEY, digest));
        vm.prank(address(0x57a));
        orders.amend(change, byUser, byProvider);
    }

    function signOrder(uint256 key, OrderTerms memory order) internal view returns (bytes memory) {
        return sign(key, digestOf(OrderTypedData.order(order), address(orders)));
    }

    function signRead(uint256 key, uint64 orderId, uint64 seq, uint64 bytesRead) internal view returns (bytes memory) {
        bytes32 structHash = OrderTypedData.readVoucher(orderId, vm.addr(key), seq, bytesRead);
        return sign(key, digestOf(structHash, address(reads)));
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function digestOf(bytes32 structHash, address verifier) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("MEMO"),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    /// @notice Goes so far that all epochs before `epoch` are beyond dispute.
    function closeEpochsBefore(uint64 epoch) internal {
        goToEpoch(epoch);
        orders.pinEpoch();
        passTime(DISPUTE_SECONDS, DISPUTE_BLOCKS);
    }

    function settleAll(uint64 orderId) internal returns (uint64) {
        return orders.settle(orderId, type(uint64).max);
    }

    function getOrder(uint64 orderId) internal view returns (Order memory) {
        return orders.getOrder(orderId);
    }
}
