// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AmendmentTerms, OrderTerms} from "../types/OrderTypes.sol";

/// @title What users and providers sign about orders, as EIP-712 structs (spec/orders.md 6)
library OrderTypedData {
    bytes32 private constant ORDER = keccak256(
        "Order(address user,address provider,uint64 nonce,uint64 sizeBytes,uint256 priceAttoPerGiBSecond,uint64 start,uint64 end,uint64 submitBy)"
    );
    bytes32 private constant AMENDMENT = keccak256(
        "Amendment(uint64 orderId,uint64 seq,uint64 sizeBytes,uint256 priceAttoPerGiBSecond,uint64 end,uint64 submitBy)"
    );
    bytes32 private constant READ_VOUCHER =
        keccak256("ReadVoucher(uint64 orderId,address payer,uint64 seq,uint64 bytesRead)");
    bytes32 private constant SET_COMMITMENT =
        keccak256("SetCommitment(uint64 orderId,uint64 seq,bytes32 setRoot,uint64 usedBytes,uint64 fromEpoch)");

    function order(OrderTerms memory terms) internal pure returns (bytes32) {
        return keccak256(abi.encode(ORDER, terms));
    }

    function amendment(AmendmentTerms memory terms) internal pure returns (bytes32) {
        return keccak256(abi.encode(AMENDMENT, terms));
    }

    function readVoucher(uint64 orderId, address payer, uint64 seq, uint64 bytesRead) internal pure returns (bytes32) {
        return keccak256(abi.encode(READ_VOUCHER, orderId, payer, seq, bytesRead));
    }

    /// @notice Kept by both sides off chain; disputes cite it.
    function setCommitment(uint64 orderId, uint64 seq, bytes32 setRoot, uint64 usedBytes, uint64 fromEpoch)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(SET_COMMITMENT, orderId, seq, setRoot, usedBytes, fromEpoch));
    }
}
