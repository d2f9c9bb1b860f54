// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {OrderTypedData} from "../../src/libraries/OrderTypedData.sol";
import {AmendmentTerms, Order, OrderTerms, Segment} from "../../src/types/OrderTypes.sol";
import {ReadAllowance} from "../../src/types/ReadTypes.sol";
import {Offer} from "../../src/types/RoleTypes.sol";
import {OrderNetwork} from "./support/OrderNetwork.sol";

/// @notice Does with two users' and two providers' money whatever the fuzzer asks for. Its own books say what each user
/// signed away at most, and what each party has received.
contract OrdersInvariantTest is OrderNetwork {
    uint256 private constant MAX_ORDERS = 12;

    /// @dev What makes most orders affordable, so that most calls do something.
    uint256 private constant MAX_PRICE = 0.02 ether;

    address private constant COLD = address(0xc01d);

    address private otherUser;
    address private otherProvider;
    address private keeper;
    mapping(uint64 orderId => uint256 amount) private signedAway;
    mapping(uint64 orderId => uint256 amount) private consumed;
    string private broken;
    uint256 private deposited;
    uint256 private withdrawn;

    struct Reader {
        uint64 orderId;
        address payer;
    }

    /// @dev Who ever had an allowance, and under which order.
    Reader[] private readers;
    mapping(uint64 orderId => mapping(address payer => bool)) private isReader;

    function setUp() public override {
        super.setUp();
        (otherUser, otherProvider) = (vm.addr(USER_KEY + 1), vm.addr(PROVIDER_KEY + 1));
        // To make an address of a key costs as much as a call.
        keeper = vm.addr(KEEPER_KEY);
        vm.prank(otherUser);
        roles.registerUser();
        joinProvider(otherProvider);
        registerKeeper(keeper);
        pledges.deposit(keeper, KEEPER);
        escrow.deposit(otherUser, ESCROWED);
        deposited = 2 * ESCROWED;
        // One order of each user, with each provider one.
        this.doOpen(0, 10 * GIB, 0, 20, 1e15);
        this.doOpen(3, 5 * GIB, 1, 30, 1e12);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(this);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](16);
        selectors[0] = this.doOpen.selector;
        selectors[1] = this.doAmend.selector;
        selectors[2] = this.doShrink.selector;
        selectors[3] = this.doSettle.selector;
        selectors[4] = this.doFail.selector;
        selectors[5] = this.doShare.selector;
        selectors[6] = this.doAllow.selector;
        selectors[7] = this.doRedeem.selector;
        selectors[8] = this.doClose.selector;
        selectors[9] = this.doWithdraw.selector;
        selectors[10] = this.doDeposit.selector;
        selectors[11] = this.doPause.selector;
        selectors[12] = this.doWait.selector;
        selectors[13] = this.doSetPayee.selector;
        selectors[14] = this.doAllowByNode.selector;
        selectors[15] = this.doOffer.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(this), selectors);
    }

    function doOpen(uint256 who, uint64 size, uint8 from, uint8 length, uint64 price) external {
        if (orders.orderCount() == MAX_ORDERS) return;
        uint64 start = orders.currentEpoch() + from % 4;
        (uint256 userKey, uint256 providerKey) = (USER_KEY + who % 2, PROVIDER_KEY + (who / 2) % 2);
        OrderTerms memory order = OrderTerms(
            who % 2 == 0 ? user : otherUser,
            (who / 2) % 2 == 0 ? provider : otherProvider,
            nonces++,
            size % (20 * GIB),
            price % MAX_PRICE,
            start,
            start + 1 + length % 32,
            uint64(block.timestamp)
        );
        uint64 id = orders.open(order, signOrder(userKey, order), signOrder(providerKey, order));
        Order memory opened = orders.getOrder(id);
        signedAway[id] = _costAbove(order.sizeBytes, order.priceAttoPerGiBSecond, opened.end - opened.start);
    }

    function doAmend(uint256 which, uint64 size, uint8 length, uint64 price) external {
        (uint64 id, Order memory order) = _pickLiving(which);
        uint64 boundary = uint64(Math.max(orders.currentEpoch() + 1, order.start));
        AmendmentTerms memory change = AmendmentTerms(
            id, order.seq, size % (20 * GIB), price % MAX_PRICE, boundary + length % 32, uint64(block.timestamp)
        );
        bytes32 digest = digestOf(OrderTypedData.amendment(change), address(orders));
        orders.amend(change, sign(_keyOf(order.user), digest), sign(_keyOf(order.provider), digest));
        signedAway[id] += _costAbove(change.sizeBytes, change.priceAttoPerGiBSecond, change.end - boundary);
    }

    function doShrink(uint256 which, uint64 size) external {
        (uint64 id, Order memory order) = _pickLiving(which);
        Segment[] memory segments = orders.getSegments(id);
        uint64 latest = segments.length == 0 ? 0 : segments[segments.length - 1].sizeBytes;
        vm.prank(order.user);
        // Mostly less than it is, now and then nothing or as much.
        orders.shrink(id, which % 4 == 0 ? 0 : size % (latest + 1));
    }

    function doSettle(uint256 which, uint64 most) external {
        (uint64 id,) = _pick(which);
        _settle(id, most % 64);
    }

    function doFail(uint256 who, uint64 back, bool failed) external {
        uint64 epoch = orders.currentEpoch() - back % 4;
        vm.prank(JUDGE);
        orders.setFailed(who % 2 == 0 ? provider : otherProvider, epoch, failed);
    }

    /// @dev Settles first where nothing is to be shared.
    function doShare() external {
        for (uint64 id = 1; id <= orders.orderCount() && orders.keeperPool(1) == 0; ++id) {
            _settle(id, 64);
        }
        (uint256 pool, uint256 before) = (orders.keeperPool(1), escrow.incomeOf(keeper));
        orders.shareKeeperFees(1);
        if (escrow.incomeOf(keeper) - before != pool) broken = "the only keeper has all of the pool";
    }

    /// @dev Prices change seldom, since an allowance takes no more at another price.
    function doOffer(uint256 who, uint64 gib, uint8 price) external {
        vm.prank(who % 2 == 0 ? provider : otherProvider);
        roles.setOffer(Offer((20 + gib % 81) * GIB, 3, price % 4 == 0 ? price % 5 : 4));
    }

    function doAllow(uint256 which, uint256 who, uint32 size) external {
        (uint64 id,) = _pick(which);
        _allow(id, who % 2 == 0 ? user : otherUser, size);
    }

    /// @dev A node buys reads under any order with what it has.
    function doAllowByNode(uint256 which, uint256 who, uint64 size) external {
        (uint64 id,) = _pick(which);
        address node = who % 2 == 0 ? provider : otherProvider;
        uint256 income = escrow.incomeOf(node);
        // Mostly what it has and may lock, sometimes one byte too much.
        uint256 most = (escrow.payeeOf(node) == node ? escrow.balanceOf(node) : escrow.balanceOf(node) - income) / 4;
        _allow(id, node, uint64(size % Math.min(most + 2, type(uint64).max)));
        if (escrow.payeeOf(node) != node && escrow.incomeOf(node) != income) {
            broken = "income was spent without its payee";
        }
    }

    function doSetPayee(uint256 who, bool cold) external {
        address account = _accounts()[who % 6];
        vm.prank(escrow.payeeOf(account));
        escrow.setPayee(account, cold ? COLD : account);
    }

    function doRedeem(uint256 which, uint64 size) external {
        (Reader memory reader, ReadAllowance memory allowance) = _pickReader(which);
        address node = orders.getOrder(reader.orderId).provider;
        uint256 before = escrow.incomeOf(node);
        // From what is paid already to one byte beyond what is allowed.
        uint64 bytesRead = allowance.bytesPaid + size % (allowance.bytesAllowed - allowance.bytesPaid + 2);
        bytes memory signature = signRead(_keyOf(reader.payer), reader.orderId, allowance.seq, bytesRead);
        reads.redeem(reader.orderId, reader.payer, bytesRead, signature);
        uint256 due = uint256(bytesRead - allowance.bytesPaid) * allowance.priceAttoPerByte;
        if (escrow.incomeOf(node) - before != due) broken = "a voucher pays what is new in it";
    }

    function doClose(uint256 which, uint8 asked) external {
        (Reader memory reader, ReadAllowance memory allowance) = _pickReader(which);
        uint256 before = escrow.balanceOf(reader.payer);
        vm.prank(reader.payer);
        // Mostly what comes next.
        if ((allowance.closingBlock == 0) != (asked % 8 == 0)) return reads.announceClose(reader.orderId);
        reads.close(reader.orderId);
        bool early = block.timestamp < allowance.closingAt + LOCK_SECONDS
            || block.number < allowance.closingBlock + LOCK_BLOCKS || allowance.closingBlock == 0;
        if (early) broken = "an allowance was closed before its time";
        uint256 due = uint256(allowance.bytesAllowed - allowance.bytesPaid) * allowance.priceAttoPerByte;
        if (escrow.balanceOf(reader.payer) - before != due) broken = "closing gives back what is left";
    }

    function doWithdraw(uint256 who, uint256 amount) external {
        address account = _accounts()[who % 6];
        uint256 most = escrow.balanceOf(account);
        vm.prank(account);
        escrow.withdraw(account, amount % (most + 2));
        withdrawn += amount % (most + 2);
    }

    function doDeposit(uint256 who, uint256 amount) external {
        amount %= ESCROWED / 2;
        escrow.deposit(_accounts()[who % 6], amount);
        deposited += amount;
    }

    function doPause(uint8 asked) external {
        if (asked % 8 == 0) orders.pause();
        else orders.unpause();
    }

    function doWait(uint16 time, uint8 blocks) external {
        passTime(time % 400, blocks % 40);
    }

    function invariant_money_is_conserved_and_nobody_is_paid_beyond_what_was_signed() public view {
        _every_balance_is_backed_by_tokens_to_the_attomemo();
        _what_orders_lock_is_what_their_epochs_cost();
        _no_order_takes_more_than_its_user_signed();
        _what_reads_lock_is_what_their_allowances_leave();
    }

    function _every_balance_is_backed_by_tokens_to_the_attomemo() private view {
        uint256 free;
        address[6] memory accounts = _accounts();
        for (uint256 i = 0; i < accounts.length; ++i) {
            free += escrow.balanceOf(accounts[i]);
            check(escrow.incomeOf(accounts[i]) <= escrow.balanceOf(accounts[i]), "income is part of what is free");
        }
        equal(escrow.totalFree(), free, "the total is the sum over accounts");
        uint256 locked = escrow.lockedBy(address(orders)) + escrow.lockedBy(address(reads));
        equal(token.balanceOf(address(escrow)), free + locked, "tokens held");
        equal(token.balanceOf(address(escrow)), deposited - withdrawn, "nothing else came or went");
    }

    function _what_orders_lock_is_what_their_epochs_cost() private view {
        uint256 locked = orders.keeperPool(1);
        uint256 liable;
        for (uint64 id = 1; id <= orders.orderCount(); ++id) {
            Order memory order = orders.getOrder(id);
            Segment[] memory segments = orders.getSegments(id);
            uint256 cost;
            for (uint256 i = 0; i < segments.length; ++i) {
                uint64 end = i + 1 < segments.length ? segments[i + 1].from : order.end;
                uint64 from = segments[i].from > order.settledTo ? segments[i].from : order.settledTo;
                cost += uint256(segments[i].totalAtto) * (end - from);
                check(segments[i].sizeBytes <= order.liableBytes, "liable for each size that is not settled");
            }
            equal(order.locked, cost, "an order's lock");
            check(order.settledTo <= order.end, "never beyond the end");
            locked += order.locked;
            liable += order.liableBytes;
        }
        equal(escrow.lockedBy(address(orders)), locked, "the sum of the locks");
        equal(orders.liableBytes(provider) + orders.liableBytes(otherProvider), liable, "the sum of what is liable");
    }

    function _no_order_takes_more_than_its_user_signed() private view {
        for (uint64 id = 1; id <= orders.orderCount(); ++id) {
            check(consumed[id] + orders.getOrder(id).locked <= signedAway[id], "paid and locked are within it");
        }
        equal(broken, "", "nothing broke");
    }

    function _what_reads_lock_is_what_their_allowances_leave() private view {
        uint256 locked;
        for (uint64 id = 1; id <= orders.orderCount(); ++id) {
            locked += _left(id, user) + _left(id, otherUser) + _left(id, provider) + _left(id, otherProvider);
        }
        equal(escrow.lockedBy(address(reads)), locked, "the sum of what is left");
    }

    function _left(uint64 id, address payer) private view returns (uint256) {
        ReadAllowance memory allowance = reads.getAllowance(id, payer);
        check(allowance.bytesPaid <= allowance.bytesAllowed, "never beyond the allowance");
        return uint256(allowance.bytesAllowed - allowance.bytesPaid) * allowance.priceAttoPerByte;
    }

    /// @dev Settles and holds each party's share against a count of the epochs one by one. What is wrong is kept for the
    /// invariant, since a revert here would be swallowed by the fuzzer.
    function _settle(uint64 id, uint64 most) private {
        Order memory order = orders.getOrder(id);
        Segment[] memory segments = orders.getSegments(id);
        uint256[4] memory before = _shares(order);
        uint64 settledTo = orders.settle(id, most);
        if (settledTo < order.settledTo) broken = "settling goes never backwards";
        if (settledTo > order.settledTo && settledTo > orders.closedBefore()) broken = "nothing leaves its window";
        uint256[4] memory afterwards = _shares(order);
        uint256[4] memory due = _dueOf(order, segments, settledTo);
        for (uint256 i = 0; i < 4; ++i) {
            if (afterwards[i] - before[i] != due[i]) broken = "each party gets its share, and nobody another's";
        }
        consumed[id] += order.locked - orders.getOrder(id).locked;
    }

    /// @dev What user, provider, keepers and foundation have.
    function _shares(Order memory order) private view returns (uint256[4] memory) {
        return [
            escrow.balanceOf(order.user),
            escrow.incomeOf(order.provider),
            orders.keeperPool(1),
            escrow.incomeOf(FOUNDATION)
        ];
    }

    function _dueOf(Order memory order, Segment[] memory segments, uint64 settledTo)
        private
        view
        returns (uint256[4] memory due)
    {
        uint256 place;
        for (uint64 epoch = order.settledTo; epoch < settledTo; ++epoch) {
            while (place + 1 < segments.length && segments[place + 1].from <= epoch) ++place;
            uint256 product = uint256(segments[place].sizeBytes) * segments[place].priceAttoPerGiBSecond * EPOCH_SECONDS;
            uint256 income = product / GIB;
            bool failed = (orders.failedEpochs(order.provider, epoch / 256) >> (epoch % 256)) & 1 == 1;
            due[failed ? 0 : 1] += income;
            due[2] += income * 4 / 100;
            due[3] += Math.ceilDiv(product * 105, GIB * 100) - income - income * 4 / 100;
        }
    }

    function _allow(uint64 id, address payer, uint64 size) private {
        vm.prank(payer);
        reads.allow(id, size, 4);
        if (isReader[id][payer]) return;
        isReader[id][payer] = true;
        readers.push(Reader(id, payer));
    }

    /// @dev A payer with an allowance, if there is one.
    function _pickReader(uint256 which) private view returns (Reader memory reader, ReadAllowance memory allowance) {
        uint256 count = readers.length;
        check(count != 0, "nobody had an allowance");
        for (uint256 i = 0; i < count; ++i) {
            reader = readers[(which % count + i) % count];
            allowance = reads.getAllowance(reader.orderId, reader.payer);
            if (allowance.bytesAllowed != 0) break;
        }
    }

    function _accounts() private view returns (address[6] memory) {
        return [user, otherUser, provider, otherProvider, keeper, FOUNDATION];
    }

    function _pick(uint256 which) private view returns (uint64 id, Order memory) {
        id = uint64(1 + which % Math.max(orders.orderCount(), 1));
        return (id, orders.getOrder(id));
    }

    /// @dev An order that can still change, if there is one.
    function _pickLiving(uint256 which) private view returns (uint64 id, Order memory order) {
        uint256 count = orders.orderCount();
        uint64 next = orders.currentEpoch() + 1;
        for (uint256 i = 0; i < count; ++i) {
            (id, order) = _pick(which % count + i);
            if (order.end >= next) break;
        }
    }

    function _keyOf(address owner) private view returns (uint256) {
        if (owner == user) return USER_KEY;
        if (owner == otherUser) return USER_KEY + 1;
        return owner == provider ? PROVIDER_KEY : PROVIDER_KEY + 1;
    }

    /// @dev size × price × time × 1.05, and an attomemo of rounding for each epoch.
    function _costAbove(uint64 size, uint256 price, uint64 epochs) private pure returns (uint256) {
        return uint256(size) * price * EPOCH_SECONDS * epochs * 105 / 100 / GIB + epochs + 1;
    }
}
