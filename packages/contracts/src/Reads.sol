// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {IOrders} from "./interfaces/IOrders.sol";
import {DidSignatures} from "./libraries/DidSignatures.sol";
import {Locks} from "./libraries/Locks.sol";
import {OrderTypedData} from "./libraries/OrderTypedData.sol";
import {ReadAllowance} from "./types/ReadTypes.sol";
import {Lock} from "./types/RoleTypes.sol";

/// @title Paying for reads: an allowance per order and payer, against vouchers that say how much was read in all
/// @notice An order has one provider, so an allowance is never promised to two (spec/orders.md 12 to 14).
contract Reads is EIP712 {
    using Locks for Lock;

    IEscrow public immutable ESCROW;
    IOrders public immutable ORDERS;
    IAccounts public immutable ROLES;

    Lock private _closing;

    mapping(uint64 orderId => mapping(address payer => ReadAllowance allowance)) private _allowances;

    event ReadsAllowed(
        uint64 indexed orderId, address indexed payer, uint64 seq, uint64 bytesAllowed, uint128 priceAttoPerByte
    );
    event ReadsPaid(uint64 indexed orderId, address indexed payer, uint64 seq, uint64 bytesPaid, uint256 amount);
    event ReadsClosing(uint64 indexed orderId, address indexed payer, uint256 untilTime, uint256 untilBlock);
    event ReadsClosed(uint64 indexed orderId, address indexed payer, uint64 seq, uint256 refund);

    error EmptyAllowance();
    error PriceAboveLimit(uint256 price, uint256 limit);
    error PriceDiffers(uint256 price, uint256 agreed);
    error AllowanceClosing(uint64 orderId, address payer);
    error NotSignedBy(address signer);
    error VoucherNotNewer(uint64 bytesRead, uint64 bytesPaid);
    error VoucherTooLarge(uint64 bytesRead, uint64 bytesAllowed);
    error NothingAnnounced(address account);
    error LockNotOver(uint256 untilTime, uint256 untilBlock);

    /// @param escrow holds the money
    /// @param orders knows whose order it is
    /// @param roles knows what providers ask for reads
    /// @param closing_ how long a provider can still present vouchers after the payer announced to close
    constructor(IEscrow escrow, IOrders orders, IAccounts roles, Lock memory closing_) EIP712("MEMO", "1") {
        ESCROW = escrow;
        ORDERS = orders;
        ROLES = roles;
        _closing = closing_;
    }

    /// @notice Locks the caller's money for reading `sizeBytes` more under an order, at the price that its provider
    /// asks now. Anyone may pay for reads under any order.
    function allow(uint64 orderId, uint64 sizeBytes, uint128 maxPriceAttoPerByte) external {
        if (sizeBytes == 0) revert EmptyAllowance();
        ReadAllowance storage allowance = _allowances[orderId][msg.sender];
        if (allowance.closingBlock != 0) revert AllowanceClosing(orderId, msg.sender);
        uint128 price = ROLES.getAccount(ORDERS.getOrder(orderId).provider).offer.retrievalPriceAttoPerByte;
        if (price > maxPriceAttoPerByte) revert PriceAboveLimit(price, maxPriceAttoPerByte);
        if (allowance.bytesAllowed == 0) allowance.priceAttoPerByte = price;
        else if (price != allowance.priceAttoPerByte) revert PriceDiffers(price, allowance.priceAttoPerByte);
        allowance.bytesAllowed += sizeBytes;
        emit ReadsAllowed(orderId, msg.sender, allowance.seq, allowance.bytesAllowed, price);
        ESCROW.lock(msg.sender, uint256(sizeBytes) * price);
    }

    /// @notice Pays the provider what a voucher of the payer says was read and is not paid yet. Anyone may present it.
    function redeem(uint64 orderId, address payer, uint64 bytesRead, bytes calldata signature) external {
        ReadAllowance storage allowance = _allowances[orderId][payer];
        (uint64 seq, uint64 paid) = (allowance.seq, allowance.bytesPaid);
        bytes32 digest = _hashTypedDataV4(OrderTypedData.readVoucher(orderId, payer, seq, bytesRead));
        if (!DidSignatures.isValid(payer, digest, signature)) revert NotSignedBy(payer);
        if (bytesRead <= paid) revert VoucherNotNewer(bytesRead, paid);
        if (bytesRead > allowance.bytesAllowed) revert VoucherTooLarge(bytesRead, allowance.bytesAllowed);
        allowance.bytesPaid = bytesRead;
        uint256 amount = uint256(bytesRead - paid) * allowance.priceAttoPerByte;
        emit ReadsPaid(orderId, payer, seq, bytesRead, amount);
        ESCROW.pay(ORDERS.getOrder(orderId).provider, amount);
    }

    /// @notice Announces to take back what is not read; the provider can present vouchers until the lock is over.
    function announceClose(uint64 orderId) external {
        ReadAllowance storage allowance = _allowances[orderId][msg.sender];
        if (allowance.bytesAllowed == 0) revert EmptyAllowance();
        if (allowance.closingBlock != 0) revert AllowanceClosing(orderId, msg.sender);
        allowance.closingAt = uint64(block.timestamp);
        allowance.closingBlock = uint64(block.number);
        (uint256 untilTime, uint256 untilBlock) = _until(allowance);
        emit ReadsClosing(orderId, msg.sender, untilTime, untilBlock);
    }

    /// @notice Takes back what vouchers left, and makes all vouchers of this allowance void.
    function close(uint64 orderId) external {
        ReadAllowance memory allowance = _allowances[orderId][msg.sender];
        if (allowance.closingBlock == 0) revert NothingAnnounced(msg.sender);
        Lock memory lock = _closing;
        if (!lock.isOver(allowance.closingAt, allowance.closingBlock)) {
            (uint256 untilTime, uint256 untilBlock) = _until(allowance);
            revert LockNotOver(untilTime, untilBlock);
        }
        delete _allowances[orderId][msg.sender];
        _allowances[orderId][msg.sender].seq = allowance.seq + 1;
        uint256 refund = uint256(allowance.bytesAllowed - allowance.bytesPaid) * allowance.priceAttoPerByte;
        emit ReadsClosed(orderId, msg.sender, allowance.seq, refund);
        ESCROW.release(msg.sender, refund);
    }

    function getAllowance(uint64 orderId, address payer) external view returns (ReadAllowance memory) {
        return _allowances[orderId][payer];
    }

    function closing() external view returns (Lock memory) {
        return _closing;
    }

    function _until(ReadAllowance memory allowance) private view returns (uint256 untilTime, uint256 untilBlock) {
        untilTime = uint256(allowance.closingAt) + _closing.waitSeconds;
        untilBlock = uint256(allowance.closingBlock) + _closing.waitBlocks;
    }
}
