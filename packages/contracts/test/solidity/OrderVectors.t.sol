// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {DidSignatures} from "../../src/libraries/DidSignatures.sol";
import {OrderMath} from "../../src/libraries/OrderMath.sol";
import {OrderTypedData} from "../../src/libraries/OrderTypedData.sol";
import {AmendmentTerms, OrderTerms} from "../../src/types/OrderTypes.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";

/// @notice What TypeScript computes as well: spec/vectors/orders.json.
contract OrderVectorsTest is OrderNetwork {
    string private json;

    function setUp() public override {
        json = vm.readFile("../../spec/vectors/orders.json");
        vm.chainId(vm.parseJsonUint(json, ".chainId"));
    }

    function test_an_order_has_the_digest_of_the_vectors() public view {
        OrderTerms memory order = OrderTerms(
            vm.parseJsonAddress(json, ".user"),
            vm.parseJsonAddress(json, ".provider"),
            _u64(0, "nonce"),
            _u64(0, "sizeBytes"),
            _u64(0, "priceAttoPerGiBSecond"),
            _u64(0, "start"),
            _u64(0, "end"),
            _u64(0, "submitBy")
        );
        _check(0, OrderTypedData.order(order));
    }

    function test_an_amendment_has_the_digest_of_the_vectors() public view {
        AmendmentTerms memory change = AmendmentTerms(
            _u64(1, "orderId"),
            _u64(1, "seq"),
            _u64(1, "sizeBytes"),
            _u64(1, "priceAttoPerGiBSecond"),
            _u64(1, "end"),
            _u64(1, "submitBy")
        );
        _check(1, OrderTypedData.amendment(change));
    }

    function test_a_set_commitment_has_the_digest_of_the_vectors() public view {
        bytes32 setRoot = vm.parseJsonBytes32(json, _path(2, "message.setRoot"));
        _check(
            2,
            OrderTypedData.setCommitment(
                _u64(2, "orderId"), _u64(2, "seq"), setRoot, _u64(2, "usedBytes"), _u64(2, "fromEpoch")
            )
        );
    }

    function test_a_read_voucher_has_the_digest_of_the_vectors() public view {
        address payer = vm.parseJsonAddress(json, _path(3, "message.payer"));
        _check(3, OrderTypedData.readVoucher(_u64(3, "orderId"), payer, _u64(3, "seq"), _u64(3, "bytesRead")));
    }

    function test_epochs_cost_what_the_vectors_say() public view {
        for (uint256 i = 0; i < 6; ++i) {
            string memory at = string.concat(".prices[", vm.toString(i), "].");
            (uint128 income, uint128 total) = OrderMath.perEpoch(
                uint64(vm.parseJsonUint(json, string.concat(at, "sizeBytes"))),
                vm.parseJsonUint(json, string.concat(at, "priceAttoPerGiBSecond")),
                uint64(vm.parseJsonUint(json, string.concat(at, "epochSeconds")))
            );
            equal(income, vm.parseJsonUint(json, string.concat(at, "incomeAtto")), "income");
            equal(total, vm.parseJsonUint(json, string.concat(at, "totalAtto")), "total");
        }
    }

    function _check(uint256 place, bytes32 structHash) private view {
        address verifier = vm.parseJsonAddress(json, _path(place, "verifyingContract"));
        bytes32 digest = digestOf(structHash, verifier);
        equal(digest, vm.parseJsonBytes32(json, _path(place, "digest")), "digest");
        bytes memory signature = vm.parseJsonBytes(json, _path(place, "signatures[0]"));
        check(DidSignatures.isValid(vm.parseJsonAddress(json, ".user"), digest, signature), "the user signed");
    }

    function _u64(uint256 place, string memory field) private view returns (uint64) {
        return uint64(vm.parseJsonUint(json, _path(place, string.concat("message.", field))));
    }

    function _path(uint256 place, string memory field) private pure returns (string memory) {
        return string.concat(".messages[", vm.toString(place), "].", field);
    }
}
