// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AccountDid} from "./AccountDid.sol";
import {QuotaPay} from "./QuotaPay.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {DidRecord} from "./libraries/DidRecord.sol";
import {Locks} from "./libraries/Locks.sol";
import {MarketTerms, PayInfo, Purchase, Quota} from "./types/MarketTypes.sol";
import {Lock} from "./types/RoleTypes.sol";

/// @title Where space and traffic of the gateway are bought and granted
/// @notice The original's middleware proxy. It holds no money: that is in the two pay contracts (spec/space-market.md).
contract SpaceMarket is AccessManaged, IMarket {
    using Locks for Lock;

    uint64 public constant SECONDS_PER_DAY = 86_400;
    uint256 public constant MAX_REASON_BYTES = 256;

    QuotaPay public immutable SPACE_PAY;
    QuotaPay public immutable TRAFFIC_PAY;
    AccountDid public immutable ACCOUNT_DID;

    /// @notice How long what is bought or granted is valid.
    uint64 public immutable VALIDITY_DAYS;

    MarketTerms private _current;
    MarketTerms private _next;
    Lock private _delay;
    uint64 private _announcedAt;
    uint64 private _announcedBlock;

    event TermsAnnounced(
        uint64 spacePrice, uint64 trafficPrice, address indexed seller, uint256 fromTime, uint256 fromBlock
    );
    event FreeGranted(Quota indexed quota, address indexed to, uint64 sizeByte, string reason, address indexed admin);

    error TermsMissing();
    error PriceAboveLimit(uint256 price, uint256 limit);
    error DurationTooLong(uint64 durationDay, uint64 limit);
    error ReasonInvalid(uint256 lengthBytes, uint256 limit);

    /// @param authority the AccessManager that decides who sets prices and who grants
    /// @param spacePay holds the money of space
    /// @param trafficPay holds the money of traffic
    /// @param accountDid knows whose DIDs are
    /// @param terms_ prices and seller from the beginning
    /// @param delay_ how long a change of them is announced before it counts
    /// @param validityDays how long quota is valid
    constructor(
        address authority,
        QuotaPay spacePay,
        QuotaPay trafficPay,
        AccountDid accountDid,
        MarketTerms memory terms_,
        Lock memory delay_,
        uint64 validityDays
    ) AccessManaged(authority) {
        _check(terms_);
        if (validityDays == 0) revert TermsMissing();
        SPACE_PAY = spacePay;
        TRAFFIC_PAY = trafficPay;
        ACCOUNT_DID = accountDid;
        VALIDITY_DAYS = validityDays;
        _current = terms_;
        _delay = delay_;
    }

    /// @notice Buys space for `buyer` with the caller's money, approved to the pay contract of space. Whatever days the
    /// caller asks for, the purchase is valid `VALIDITY_DAYS`; the original's servers ask for 1.
    function buySpace(uint64 size, uint64 durationDay, address buyer) external {
        if (durationDay > VALIDITY_DAYS) revert DurationTooLong(durationDay, VALIDITY_DAYS);
        _buy(Quota.Space, size, buyer);
    }

    /// @notice Buys traffic for `buyer` with the caller's money, approved to the pay contract of traffic.
    function buyTraffic(uint64 size, address buyer) external {
        _buy(Quota.Traffic, size, buyer);
    }

    /// @notice Buys for whoever holds the master key of a DID.
    function buyForDid(Quota quota, uint64 size, string calldata did) external {
        _buy(quota, size, _holderOf(did));
    }

    /// @notice Buys with the approval as a signature of the caller over `maxAtto`, which is also the limit: the price may
    /// change before the transaction counts.
    function buyWithPermit(
        Quota quota,
        uint64 size,
        address buyer,
        uint256 maxAtto,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        uint256 cost = quote(quota, size);
        if (cost > maxAtto) revert PriceAboveLimit(cost, maxAtto);
        _payOf(quota).usePermit(msg.sender, maxAtto, deadline, v, r, s);
        _buy(quota, size, buyer);
    }

    /// @notice Submits a purchase that the payer has signed. Its money must be approved, or permitted before.
    function buySigned(Quota quota, Purchase calldata purchase, bytes calldata signature) external {
        _payOf(quota).buySigned(purchase, signature, quote(quota, purchase.sizeByte), _expire());
    }

    /// @notice Gives quota for nothing.
    function grant(Quota quota, address to, uint64 sizeByte, string calldata reason) external restricted {
        _grant(quota, to, sizeByte, reason);
    }

    /// @notice Gives quota for nothing to whoever holds the master key of a DID.
    function grantToDid(Quota quota, string calldata did, uint64 sizeByte, string calldata reason) external restricted {
        _grant(quota, _holderOf(did), sizeByte, reason);
    }

    /// @notice Announces prices and seller; they count once the delay is over. Another announcement begins it anew.
    function announceTerms(MarketTerms calldata next) external restricted {
        _check(next);
        _current = terms();
        _next = next;
        _announcedAt = uint64(block.timestamp);
        _announcedBlock = uint64(block.number);
        emit TermsAnnounced(
            next.spacePrice,
            next.trafficPrice,
            next.seller,
            block.timestamp + _delay.waitSeconds,
            block.number + _delay.waitBlocks
        );
    }

    /// @notice Attomemo per byte of space, for its whole validity.
    function spacePrice() external view returns (uint64) {
        return terms().spacePrice;
    }

    /// @notice Attomemo per byte of traffic.
    function trafficPrice() external view returns (uint64) {
        return terms().trafficPrice;
    }

    /// @inheritdoc IMarket
    function seller() external view returns (address) {
        return terms().seller;
    }

    /// @notice What was announced last, and when; block 0 where nothing was.
    function announced()
        external
        view
        returns (MarketTerms memory next, uint64 time, uint64 block_, Lock memory delay)
    {
        return (_next, _announcedAt, _announcedBlock, _delay);
    }

    function spacePayInfo(address buyer) external view returns (PayInfo memory) {
        return SPACE_PAY.payInfo(buyer);
    }

    function trafficPayInfo(address buyer) external view returns (PayInfo memory) {
        return TRAFFIC_PAY.payInfo(buyer);
    }

    /// @notice What counts now.
    function terms() public view returns (MarketTerms memory) {
        Lock memory delay = _delay;
        bool isDue = _announcedBlock != 0 && delay.isOver(_announcedAt, _announcedBlock);
        return isDue ? _next : _current;
    }

    /// @notice What a purchase costs now.
    function quote(Quota quota, uint64 size) public view returns (uint256) {
        MarketTerms memory now_ = terms();
        return uint256(size) * (quota == Quota.Space ? now_.spacePrice : now_.trafficPrice);
    }

    function _buy(Quota quota, uint64 size, address buyer) private {
        _payOf(quota).buy(msg.sender, buyer, size, quote(quota, size), _expire());
    }

    function _grant(Quota quota, address to, uint64 sizeByte, string calldata reason) private {
        uint256 length = bytes(reason).length;
        if (length == 0 || length > MAX_REASON_BYTES) revert ReasonInvalid(length, MAX_REASON_BYTES);
        emit FreeGranted(quota, to, sizeByte, reason, msg.sender);
        _payOf(quota).grant(to, sizeByte, _expire());
    }

    function _payOf(Quota quota) private view returns (QuotaPay) {
        return quota == Quota.Space ? SPACE_PAY : TRAFFIC_PAY;
    }

    function _expire() private view returns (uint64) {
        return uint64(block.timestamp) + VALIDITY_DAYS * SECONDS_PER_DAY;
    }

    function _holderOf(string calldata did) private view returns (address master) {
        bool deactivated;
        (master, deactivated) = ACCOUNT_DID.data(did);
        if (master == address(0)) revert DidRecord.DidUnknown(did);
        if (deactivated) revert DidRecord.DidDeactivated(did);
    }

    /// @dev What costs nothing could be bought for others without end, until their books are full.
    function _check(MarketTerms memory next) private pure {
        if (next.spacePrice == 0 || next.trafficPrice == 0 || next.seller == address(0)) revert TermsMissing();
    }
}
