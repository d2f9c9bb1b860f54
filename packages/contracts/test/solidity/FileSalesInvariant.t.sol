// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {FileTypedData} from "../../src/libraries/FileTypedData.sol";
import {Sale} from "../../src/types/FileTypes.sol";
import {FileNetwork} from "./support/FileNetwork.sol";

/// @notice Buys, releases, refunds, moves, deactivates and withdraws as the fuzzer asks, and keeps its own books of what
/// is due to whom. Half of the files are sold sealed.
contract FileSalesInvariantTest is FileNetwork {
    uint256 private constant FILES = 20;

    struct Pair {
        uint256 file;
        bool byOwner;
    }

    address private owner_;
    address private reader_;
    uint256 private paidIn;
    uint256 private paidOut;
    uint256 private waiting;
    mapping(address account => uint256 amount) private dueTo;
    mapping(uint256 file => bool) private ofReader;

    /// @dev What was bought sealed and is neither released nor refunded.
    Pair[] private sealedSales;
    mapping(uint256 file => mapping(bool byOwner => Sale sale)) private saleOf;
    string private broken;

    function setUp() public override {
        super.setUp();
        // To make an address of a key costs as much as a call.
        (owner_, reader_) = (vm.addr(OWNER_KEY), vm.addr(READER_KEY));
        for (uint256 i = 0; i < FILES; ++i) {
            register(_file(i), i % 2 == 0 ? bytes32(0) : bytes32(i));
        }
        token.transfer(seller, SUPPLY / 2);
        vm.prank(seller);
        token.approve(address(files), type(uint256).max);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(this);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](11);
        selectors[0] = this.doBuy.selector;
        selectors[1] = this.doRelease.selector;
        selectors[2] = this.doRefund.selector;
        selectors[3] = this.doWithdraw.selector;
        selectors[4] = this.doPrice.selector;
        selectors[5] = this.doGrant.selector;
        selectors[6] = this.doRevoke.selector;
        selectors[7] = this.doWait.selector;
        selectors[8] = this.doMove.selector;
        selectors[9] = this.doDeactivate.selector;
        selectors[10] = this.doBuyAgain.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(this), selectors);
    }

    /// @dev Looks for what can be bought, which others than the reader pay for.
    function doBuy(uint256 which, bool byOwner, bool bySeller) external {
        for (uint256 i = 0; i < FILES && !_isForSale(which % FILES, byOwner); ++i) {
            which = which % FILES + 1;
        }
        _buy(which % FILES, byOwner, bySeller ? seller : address(this));
    }

    /// @dev Whatever was asked for: mostly a right that is there already.
    function doBuyAgain(uint256 which, bool byOwner) external {
        bool isForSale = _isForSale(which % FILES, byOwner);
        if (isForSale) return _buy(which % FILES, byOwner, address(this));
        try files.buyRead(_file(which), _reader(byOwner)) {
            broken = "sold twice, or what was deactivated";
        } catch {}
    }

    /// @dev The releaser is not always quick, so that some sales go back.
    function doRelease(uint256 which) external {
        if (which % 4 == 0) return this.doWait(uint8(which / 4));
        (Pair memory pair, uint256 place) = _pickSealed(which);
        vm.prank(RELEASER);
        files.release(_file(pair.file), _reader(pair.byOwner));
        _finish(place, ofReader[pair.file] ? reader_ : owner_);
        if (fileDid.read(_file(pair.file), _reader(pair.byOwner)) != 1) broken = "what was paid for was taken";
    }

    /// @dev Mostly of a sale that has waited long enough, if there is one.
    function doRefund(uint256 which) external {
        (Pair memory pair, uint256 place) = _pickSealed(which);
        for (uint256 i = 0; i < sealedSales.length && which % 4 != 0 && _isEarly(pair); ++i) {
            (pair, place) = _pickSealed(i);
        }
        bool early = _isEarly(pair);
        Sale memory sale = saleOf[pair.file][pair.byOwner];
        files.refund(_file(pair.file), _reader(pair.byOwner));
        if (early) broken = "refunded before its time";
        _finish(place, sale.payer);
        if (fileDid.read(_file(pair.file), _reader(pair.byOwner)) != 0) broken = "the right stayed";
    }

    /// @dev Neither twice, nor what never waited.
    function doWithdraw(uint256 who) external {
        address account = _accounts()[who % 4];
        // Mostly of somebody to whom something is due.
        for (uint256 i = 0; i < 4 && who % 8 != 0 && dueTo[account] == 0; ++i) {
            account = _accounts()[i];
        }
        uint256 before = token.balanceOf(account);
        vm.prank(account);
        files.withdraw();
        if (token.balanceOf(account) - before != dueTo[account]) broken = "withdrew something else";
        paidOut += dueTo[account];
        dueTo[account] = 0;
    }

    function doPrice(uint256 which, uint64 price) external {
        uint256 file = which % FILES;
        bytes32 structHash = FileTypedData.changePrice(_file(file), _controller(file), price, _nonce(file));
        files.changePrice(_file(file), price, _signed(file, structHash));
    }

    function doGrant(uint256 which, bool byOwner) external {
        files.grantRead(_file(which), _reader(byOwner), _signedRead("GrantFileRead", which % FILES, byOwner));
    }

    function doRevoke(uint256 which, bool byOwner) external {
        uint8 right = fileDid.read(_file(which), _reader(byOwner));
        bytes memory signature = _signedRead("RevokeFileRead", which % FILES, byOwner);
        try files.deactivateRead(_file(which), _reader(byOwner), signature) {
            if (right != 2) broken = "what was not granted was revoked";
        } catch {
            if (right == 2 && !fileDid.deactivated(_file(which))) broken = "what was granted stayed";
        }
    }

    /// @dev The controller of then is paid, whoever it was when the right was bought.
    function doMove(uint256 which) external {
        uint256 file = which % FILES;
        string memory next = ofReader[file] ? OWNER_ID : READER_ID;
        bytes32 structHash = FileTypedData.changeController(_file(file), _controller(file), next, _nonce(file));
        files.changeController(_file(file), next, _signed(file, structHash));
        ofReader[file] = !ofReader[file];
    }

    /// @dev Seldom, since it is final. What waits for a key goes on.
    function doDeactivate(uint256 which, uint8 seldom) external {
        if (seldom % 4 != 0) return this.doWait(seldom);
        uint256 file = which % FILES;
        bytes32 structHash = FileTypedData.deactivate(_file(file), _controller(file), _nonce(file));
        files.deactivateMfileDid(_file(file), true, _signed(file, structHash));
    }

    function doWait(uint8 time) external {
        passTime(time, time % 16);
    }

    function invariant_every_sale_is_backed_and_paid_once() public view {
        uint256 due;
        address[4] memory accounts = _accounts();
        for (uint256 i = 0; i < 4; ++i) {
            equal(files.withdrawableOf(accounts[i]), dueTo[accounts[i]], "what is due to each");
            due += dueTo[accounts[i]];
        }
        equal(files.total(), waiting + due, "the total is the sum");
        equal(token.balanceOf(address(files)), waiting + due, "and what is held");
        equal(paidIn - paidOut, waiting + due, "what came in and did not go out");
        equal(broken, "", "nothing broke");
    }

    /// @notice At the end of each run: what waits is what its own books say, sale for sale.
    function afterInvariant() public view {
        for (uint256 file = 0; file < FILES; ++file) {
            for (uint256 reader = 0; reader < 2; ++reader) {
                Sale memory sale = files.getSale(_file(file), _reader(reader == 1));
                equal(sale.amount, saleOf[file][reader == 1].amount, "what waits for a key");
                equal(sale.payer, saleOf[file][reader == 1].payer, "and whose it was");
            }
        }
    }

    function _buy(uint256 file, bool byOwner, address payer) private {
        uint256 price = fileDid.getPrice(_file(file));
        uint256 before = token.balanceOf(payer);
        vm.prank(payer);
        files.buyRead(_file(file), _reader(byOwner));
        paidIn += price;
        if (before - token.balanceOf(payer) != price) broken = "the payer pays the price";
        if (file % 2 == 0) {
            dueTo[ofReader[file] ? reader_ : owner_] += price;
            return;
        }
        sealedSales.push(Pair(file, byOwner));
        saleOf[file][byOwner] = Sale(payer, uint64(block.timestamp), price, uint64(block.number));
        waiting += price;
    }

    /// @dev Takes a sale off its own books; its money is due to `to`.
    function _finish(uint256 place, address to) private {
        Pair memory pair = sealedSales[place];
        uint256 amount = saleOf[pair.file][pair.byOwner].amount;
        delete saleOf[pair.file][pair.byOwner];
        sealedSales[place] = sealedSales[sealedSales.length - 1];
        sealedSales.pop();
        waiting -= amount;
        dueTo[to] += amount;
    }

    /// @dev What waits for its key; where nothing does, a sale that never was, which is refused.
    function _pickSealed(uint256 which) private view returns (Pair memory pair, uint256 place) {
        if (sealedSales.length == 0) return (Pair(which % FILES, false), 0);
        place = which % sealedSales.length;
        pair = sealedSales[place];
    }

    function _isEarly(Pair memory pair) private view returns (bool) {
        Sale memory sale = saleOf[pair.file][pair.byOwner];
        return block.timestamp < sale.boughtAt + REFUND_SECONDS || block.number < sale.boughtBlock + REFUND_BLOCKS;
    }

    function _isForSale(uint256 file, bool byOwner) private view returns (bool) {
        return fileDid.read(_file(file), _reader(byOwner)) == 0 && !fileDid.deactivated(_file(file));
    }

    function _signedRead(string memory structName, uint256 file, bool byOwner) private view returns (bytes memory) {
        string memory reader = _reader(byOwner);
        return _signed(file, FileTypedData.read(structName, _file(file), _controller(file), reader, _nonce(file)));
    }

    function _signed(uint256 file, bytes32 structHash) private view returns (bytes memory) {
        return sign(ofReader[file] ? READER_KEY : OWNER_KEY, digestOf(structHash, address(files)));
    }

    function _nonce(uint256 file) private view returns (uint64) {
        return files.getFileDidNonce(_controller(file));
    }

    function _controller(uint256 file) private view returns (string memory) {
        return ofReader[file] ? READER_ID : OWNER_ID;
    }

    function _file(uint256 which) private pure returns (string memory) {
        return string.concat("file", vm.toString(which % FILES));
    }

    function _reader(bool byOwner) private pure returns (string memory) {
        return byOwner ? OWNER_ID : READER_ID;
    }

    function _accounts() private view returns (address[4] memory) {
        return [owner_, reader_, seller, address(this)];
    }
}
