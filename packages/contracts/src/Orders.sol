// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {EpochClock} from "./EpochClock.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {ICommitments} from "./interfaces/ICommitments.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {DidSignatures} from "./libraries/DidSignatures.sol";
import {FailedEpochs} from "./libraries/FailedEpochs.sol";
import {OrderBook} from "./libraries/OrderBook.sol";
import {OrderMath} from "./libraries/OrderMath.sol";
import {OrderTypedData} from "./libraries/OrderTypedData.sol";
import {AmendmentTerms, Order, OrderLengths, OrderTerms, Segment, Split} from "./types/OrderTypes.sol";
import {Account, AccountState, Role} from "./types/RoleTypes.sol";

/// @title Orders: storage for a price, from one epoch to another
/// @notice Holds no tokens: what users lock is in the escrow, and goes only where an order says (spec/orders.md).
contract Orders is AccessManaged, EIP712, EpochClock, ICommitments {
    using OrderBook for OrderBook.Book;
    using FailedEpochs for FailedEpochs.Book;

    /// @notice Epochs that one call settles at most.
    uint64 public constant MAX_EPOCHS_PER_SETTLE = 2048;

    IEscrow public immutable ESCROW;
    IAccounts public immutable ROLES;
    address public immutable FOUNDATION;

    /// @notice The only one who may fail epochs; the zero address means nobody.
    address public immutable JUDGE;

    /// @notice Whether new orders and amendments are refused. Nothing else ever is.
    bool public paused;

    OrderBook.Book private _book;
    FailedEpochs.Book private _failed;

    /// @notice What the keepers of a group have earned and not shared yet.
    mapping(uint32 group => uint256 amount) public keeperPool;

    event OrderOpened(
        uint64 indexed orderId, address indexed user, address indexed provider, uint64 from, OrderTerms terms
    );
    event OrderChanged(
        uint64 indexed orderId, uint64 seq, uint64 from, uint64 sizeBytes, uint256 priceAttoPerGiBSecond, uint64 end
    );
    event OrderSettled(
        uint64 indexed orderId, uint64 settledTo, uint256 income, uint256 refund, uint256 keepers, uint256 foundation
    );
    event NonceCancelled(address indexed user, uint64 nonce);
    event EpochFailed(address indexed provider, uint64 indexed epoch, bool failed);
    event KeepersPaid(uint32 indexed group, uint256 keepers, uint256 share);
    event PausedSet(bool paused);

    error OrdersPaused();
    error SubmittedTooLate(uint64 submitBy, uint256 now_);
    error NotSignedBy(address signer);
    error NotServing(address account, Role role, AccountState state);
    error EmptyOrder();
    error EpochsInvalid(uint64 start, uint64 end);
    error CapacityExceeded(address provider, uint256 needed, uint64 capacityBytes);
    error StaleAmendment(uint64 orderId, uint64 seq, uint32 expected);
    error OrderOver(uint64 orderId, uint64 end);
    error NotUser(address caller, address user);
    error NotSmaller(uint64 orderId, uint64 sizeBytes, uint64 current);
    error NotJudge(address caller);
    error EpochNotOpen(uint64 epoch, uint64 closedBefore, uint64 current);
    error NothingToShare(uint32 group);

    /// @param authority the AccessManager that decides who may pause
    /// @param escrow holds the money
    /// @param roles knows who is active, and what providers offer
    /// @param foundation receives its part of the fee
    /// @param judge may fail epochs while their dispute window is open; zero for nobody
    /// @param lengths epochs and the dispute window
    constructor(
        address authority,
        IEscrow escrow,
        IAccounts roles,
        address foundation,
        address judge,
        OrderLengths memory lengths
    ) AccessManaged(authority) EIP712("MEMO", "1") EpochClock(lengths) {
        ESCROW = escrow;
        ROLES = roles;
        FOUNDATION = foundation;
        JUDGE = judge;
    }

    /// @notice Opens an order that user and provider have signed; anyone submits. Whoever of them calls need not sign.
    /// @return orderId its number, from 1
    function open(OrderTerms calldata terms, bytes calldata userSignature, bytes calldata providerSignature)
        external
        returns (uint64 orderId)
    {
        _requireOpen(terms.submitBy);
        bytes32 digest = _hashTypedDataV4(OrderTypedData.order(terms));
        _requireSigned(terms.user, digest, userSignature);
        _requireSigned(terms.provider, digest, providerSignature);
        _book.useNonce(terms.user, terms.nonce);
        uint32 group = _requireParties(terms.user, terms.provider, terms.sizeBytes, 0);
        uint64 start = _laterOf(terms.start, currentEpoch() + 1);
        if (terms.sizeBytes == 0) revert EmptyOrder();
        if (terms.end <= start) revert EpochsInvalid(start, terms.end);
        orderId = _create(terms, start, group);
        Segment memory segment = _segment(start, terms.sizeBytes, terms.priceAttoPerGiBSecond);
        (, uint256 cost) = _book.change(orderId, segment, terms.end);
        emit OrderOpened(orderId, terms.user, terms.provider, start, terms);
        pinEpoch();
        ESCROW.lock(terms.user, cost);
    }

    /// @notice Grows, renews or otherwise changes an order from the next epoch on, as both have signed.
    function amend(AmendmentTerms calldata terms, bytes calldata userSignature, bytes calldata providerSignature)
        external
    {
        _requireOpen(terms.submitBy);
        Order storage order = _book.get(terms.orderId);
        bytes32 digest = _hashTypedDataV4(OrderTypedData.amendment(terms));
        _requireSigned(order.user, digest, userSignature);
        _requireSigned(order.provider, digest, providerSignature);
        if (terms.seq != order.seq) revert StaleAmendment(terms.orderId, terms.seq, order.seq);
        if (terms.sizeBytes == 0) revert EmptyOrder();
        _requireParties(order.user, order.provider, terms.sizeBytes, order.liableBytes);
        uint64 from = _boundary(terms.orderId, order);
        if (terms.end <= from) revert EpochsInvalid(from, terms.end);
        _change(terms.orderId, _segment(from, terms.sizeBytes, terms.priceAttoPerGiBSecond), terms.end);
    }

    /// @notice Makes an order smaller from the next epoch on, or ends it there with size 0; the user's alone.
    function shrink(uint64 orderId, uint64 sizeBytes) external {
        Order storage order = _book.get(orderId);
        if (msg.sender != order.user) revert NotUser(msg.sender, order.user);
        uint64 from = _boundary(orderId, order);
        Segment storage latest = _book.last(orderId, order);
        if (sizeBytes >= latest.sizeBytes) revert NotSmaller(orderId, sizeBytes, latest.sizeBytes);
        Segment memory segment = _segment(from, sizeBytes, latest.priceAttoPerGiBSecond);
        _change(orderId, segment, sizeBytes == 0 ? from : order.end);
    }

    /// @notice Pays out the epochs of an order whose dispute window has closed, at most `maxEpochs` of them. Anyone
    /// may call it; the money becomes the free balance of those to whom it is due.
    /// @return settledTo all epochs before this one are settled
    function settle(uint64 orderId, uint64 maxEpochs) external returns (uint64 settledTo) {
        pinEpoch();
        Order storage order = _book.get(orderId);
        (uint64 from, address user, address provider) = (order.settledTo, order.user, order.provider);
        uint64 most = maxEpochs < MAX_EPOCHS_PER_SETTLE ? maxEpochs : MAX_EPOCHS_PER_SETTLE;
        settledTo = _earlierOf(_earlierOf(closedBefore(), order.end), from + most);
        if (settledTo <= from) return from;
        Split memory split = _book.settle(_failed, orderId, settledTo);
        keeperPool[order.group] += split.keepers;
        emit OrderSettled(orderId, settledTo, split.income, split.refund, split.keepers, split.foundation);
        _release(user, split.refund);
        _pay(provider, split.income);
        _pay(FOUNDATION, split.foundation);
    }

    /// @notice Shares what the keepers of a group have earned equally among those active now. Anyone may call it.
    function shareKeeperFees(uint32 group) external {
        address[] memory keepers = ROLES.getGroup(group).keepers;
        uint256 share = keepers.length == 0 ? 0 : keeperPool[group] / keepers.length;
        if (share == 0) revert NothingToShare(group);
        keeperPool[group] -= share * keepers.length;
        emit KeepersPaid(group, keepers.length, share);
        for (uint256 i = 0; i < keepers.length; ++i) {
            ESCROW.pay(keepers[i], share);
        }
    }

    /// @notice Makes an order that the caller signed and nobody submitted worthless.
    function cancelNonce(uint64 nonce) external {
        _book.useNonce(msg.sender, nonce);
        emit NonceCancelled(msg.sender, nonce);
    }

    /// @notice Fails an epoch of a provider, or takes that back, while its dispute window is open.
    function setFailed(address provider, uint64 epoch, bool failed) external {
        if (msg.sender != JUDGE) revert NotJudge(msg.sender);
        (uint64 closed, uint64 current) = (closedBefore(), currentEpoch());
        if (epoch < closed || epoch > current) revert EpochNotOpen(epoch, closed, current);
        _failed.set(provider, epoch, failed);
        emit EpochFailed(provider, epoch, failed);
    }

    /// @notice Refuses new orders and amendments from now on. Settling, shrinking and withdrawing go on.
    function pause() external restricted {
        _setPaused(true);
    }

    function unpause() external restricted {
        _setPaused(false);
    }

    /// @inheritdoc ICommitments
    function liableBytes(address provider) external view returns (uint256) {
        return _book.liableOf[provider];
    }

    function getOrder(uint64 orderId) external view returns (Order memory) {
        return _book.get(orderId);
    }

    function orderCount() external view returns (uint256) {
        return _book.all.length;
    }

    /// @notice The segments of an order that are not settled to their end.
    function getSegments(uint64 orderId) external view returns (Segment[] memory segments) {
        Order storage order = _book.get(orderId);
        segments = new Segment[](order.segmentCount - order.firstSegment);
        for (uint32 i = 0; i < segments.length; ++i) {
            segments[i] = _book.segmentOf[orderId][order.firstSegment + i];
        }
    }

    function isNonceUsed(address user, uint64 nonce) external view returns (bool) {
        return _book.isNonceUsed(user, nonce);
    }

    /// @notice Bit i says whether the provider failed epoch 256 × `word` + i.
    function failedEpochs(address provider, uint256 word) external view returns (uint256) {
        return _failed.wordOf[provider][word];
    }

    /// @notice What one epoch brings the provider, and what it costs the user with fees.
    function quote(uint64 sizeBytes, uint256 priceAttoPerGiBSecond) external view returns (uint128, uint128) {
        return OrderMath.perEpoch(sizeBytes, priceAttoPerGiBSecond, EPOCH_SECONDS);
    }

    function _create(OrderTerms calldata terms, uint64 start, uint32 group) private returns (uint64 orderId) {
        Order storage order = _book.all.push();
        orderId = uint64(_book.all.length);
        order.user = terms.user;
        order.provider = terms.provider;
        order.start = start;
        order.settledTo = start;
        order.end = start;
        order.group = group;
        // The first change turns this into the first segment.
        order.segmentCount = 1;
        _book.segmentOf[orderId][0].from = start;
    }

    function _change(uint64 orderId, Segment memory segment, uint64 end) private {
        Order storage order = _book.get(orderId);
        (uint256 before, uint256 afterwards) = _book.change(orderId, segment, end);
        emit OrderChanged(orderId, order.seq, segment.from, segment.sizeBytes, segment.priceAttoPerGiBSecond, end);
        pinEpoch();
        if (afterwards > before) ESCROW.lock(order.user, afterwards - before);
        else _release(order.user, before - afterwards);
    }

    function _release(address account, uint256 amount) private {
        if (amount != 0) ESCROW.release(account, amount);
    }

    function _pay(address account, uint256 amount) private {
        if (amount != 0) ESCROW.pay(account, amount);
    }

    function _setPaused(bool paused_) private {
        paused = paused_;
        emit PausedSet(paused_);
    }

    /// @dev Both must be active in their roles, and the provider have room.
    function _requireParties(address user, address provider, uint64 sizeBytes, uint64 known)
        private
        view
        returns (uint32 group)
    {
        _requireActive(ROLES.getAccount(user), user, Role.User);
        Account memory account = ROLES.getAccount(provider);
        _requireActive(account, provider, Role.Provider);
        uint256 others = _book.liableOf[provider] - known;
        uint256 needed = others + (sizeBytes > known ? sizeBytes : known);
        uint64 capacity = account.offer.capacityBytes;
        if (sizeBytes > known && needed > capacity) revert CapacityExceeded(provider, needed, capacity);
        return account.group;
    }

    function _requireActive(Account memory account, address owner, Role role) private pure {
        if (account.role != role || account.state != AccountState.Active) {
            revert NotServing(owner, account.role, account.state);
        }
    }

    function _requireOpen(uint64 submitBy) private view {
        if (paused) revert OrdersPaused();
        if (block.timestamp > submitBy) revert SubmittedTooLate(submitBy, block.timestamp);
    }

    function _requireSigned(address signer, bytes32 digest, bytes calldata signature) private view {
        if (msg.sender != signer && !DidSignatures.isValid(signer, digest, signature)) revert NotSignedBy(signer);
    }

    /// @dev The next epoch, at which changes take effect; an order that is over by then takes none.
    function _boundary(uint64 orderId, Order storage order) private view returns (uint64 from) {
        from = _laterOf(order.start, currentEpoch() + 1);
        if (from > order.end) revert OrderOver(orderId, order.end);
    }

    function _segment(uint64 from, uint64 sizeBytes, uint256 price) private view returns (Segment memory) {
        (uint128 income, uint128 total) = OrderMath.perEpoch(sizeBytes, price, EPOCH_SECONDS);
        return Segment(from, sizeBytes, total, income, OrderMath.narrow(price));
    }

    function _laterOf(uint64 a, uint64 b) private pure returns (uint64) {
        return a > b ? a : b;
    }

    function _earlierOf(uint64 a, uint64 b) private pure returns (uint64) {
        return a < b ? a : b;
    }
}
