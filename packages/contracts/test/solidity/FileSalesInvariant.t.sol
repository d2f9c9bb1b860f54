// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {FileTypedData} from "../../src/libraries/FileTypedData.sol";
import {Sale} from "../../src/types/FileTypes.sol";
import {FileNetwork} from "./support/FileNetwork.sol";

/// @notice Registers, buys, releases, refunds and withdraws as the fuzzer asks, and keeps its own books.
contract FileSalesInvariantTest is FileNetwork {
    uint256 private constant FILES = 6;
    uint256 private paidIn;
    uint256 private paidOut;
    string private broken;
    address private owner_;

    function setUp() public override {
        super.setUp();
        // To make an address of a key costs as much as a call.
        owner_ = vm.addr(OWNER_KEY);
        for (uint256 i = 0; i < FILES; ++i) {
            register(_file(i), i % 2 == 0 ? bytes32(0) : bytes32(i));
        }
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(this);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = this.doBuy.selector;
        selectors[1] = this.doRelease.selector;
        selectors[2] = this.doRefund.selector;
        selectors[3] = this.doWithdraw.selector;
        selectors[4] = this.doPrice.selector;
        selectors[5] = this.doGrant.selector;
        selectors[6] = this.doRevoke.selector;
        selectors[7] = this.doWait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(this), selectors);
    }

    function doBuy(uint256 which, bool owner) external {
        uint256 price = fileDid.getPrice(_file(which));
        files.buyRead(_file(which), _reader(owner));
        paidIn += price;
    }

    function doRelease(uint256 which, bool owner) external {
        Sale memory sale = files.getSale(_file(which), _reader(owner));
        uint256 before = files.withdrawableOf(owner_);
        vm.prank(RELEASER);
        files.release(_file(which), _reader(owner));
        if (files.withdrawableOf(owner_) - before != sale.amount) broken = "released something else";
    }

    function doRefund(uint256 which, bool owner) external {
        Sale memory sale = files.getSale(_file(which), _reader(owner));
        files.refund(_file(which), _reader(owner));
        bool early = block.timestamp < sale.boughtAt + REFUND_SECONDS || block.number < sale.boughtBlock + REFUND_BLOCKS;
        if (early) broken = "refunded before its time";
        if (fileDid.read(_file(which), _reader(owner)) != 0) broken = "the right stayed";
    }

    function doWithdraw(bool owner) external {
        address account = owner ? owner_ : address(this);
        uint256 due = files.withdrawableOf(account);
        vm.prank(account);
        files.withdraw();
        paidOut += due;
    }

    function doPrice(uint256 which, uint64 price) external {
        bytes32 structHash = FileTypedData.changePrice(_file(which), OWNER_ID, price, nonce());
        files.changePrice(_file(which), price, typed(structHash));
    }

    function doGrant(uint256 which, bool owner) external {
        bytes32 structHash = FileTypedData.read("GrantFileRead", _file(which), OWNER_ID, _reader(owner), nonce());
        files.grantRead(_file(which), _reader(owner), typed(structHash));
    }

    function doRevoke(uint256 which, bool owner) external {
        bool bought = fileDid.read(_file(which), _reader(owner)) == 1;
        bytes32 structHash = FileTypedData.read("RevokeFileRead", _file(which), OWNER_ID, _reader(owner), nonce());
        files.deactivateRead(_file(which), _reader(owner), typed(structHash));
        if (bought) broken = "what was bought was revoked";
    }

    function doWait(uint8 time) external {
        passTime(time, 3);
    }

    function invariant_every_sale_is_backed_and_paid_once() public view {
        uint256 waiting;
        for (uint256 i = 0; i < FILES; ++i) {
            waiting += files.getSale(_file(i), READER_ID).amount + files.getSale(_file(i), OWNER_ID).amount;
        }
        uint256 due = files.withdrawableOf(owner_) + files.withdrawableOf(address(this));
        equal(files.total(), waiting + due, "the total is the sum");
        equal(token.balanceOf(address(files)), waiting + due, "and what is held");
        equal(paidIn - paidOut, waiting + due, "what came in and did not go out");
        equal(broken, "", "nothing broke");
    }

    function _file(uint256 which) private pure returns (string memory) {
        return string.concat("file", vm.toString(which % FILES));
    }

    function _reader(bool owner) private pure returns (string memory) {
        return owner ? OWNER_ID : READER_ID;
    }
}
