// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {FileDid} from "../../src/FileDid.sol";
import {FileProxy} from "../../src/FileProxy.sol";
import {QuotaPay} from "../../src/QuotaPay.sol";
import {SpaceMarket} from "../../src/SpaceMarket.sol";
import {FileTypedData} from "../../src/libraries/FileTypedData.sol";
import {MarketTerms, Purchase, Quota} from "../../src/types/MarketTypes.sol";
import {FileNetwork} from "./support/FileNetwork.sol";

/// @notice What was bought, granted, cashed, ended, sold, released and given back is read from events alone.
contract MarketEventsTest is FileNetwork {
    bytes32 private constant SEALED = bytes32(uint256(1));

    function test_quota_from_purchase_to_end() public {
        uint64 expire = uint64(block.timestamp) + VALIDITY_DAYS * 86_400;
        vm.expectEmit(address(spacePay));
        emit QuotaPay.Bought(buyer, address(this), 10, 10 * SPACE_PRICE, expire);
        market.buySpace(10, 1, buyer);
        vm.expectEmit(address(market));
        emit SpaceMarket.FreeGranted(Quota.Space, buyer, 5, "for a trial", address(this));
        vm.expectEmit(address(spacePay));
        emit QuotaPay.Granted(buyer, 5, expire);
        market.grant(Quota.Space, buyer, 5, "for a trial");
        bytes memory signature = voucher(spacePay, BUYER_KEY, 0, 7);
        vm.expectEmit(address(spacePay));
        emit QuotaPay.Cashed(buyer, seller, 0, 7, 2 * SPACE_PRICE);
        vm.prank(seller);
        spacePay.cash(buyer, 0, 7, signature);
        vm.expectEmit(address(spacePay));
        emit QuotaPay.Withdrawn(seller, 2 * SPACE_PRICE);
        vm.prank(seller);
        spacePay.withdraw();
        vm.warp(expire + 1);
        vm.expectEmit(address(spacePay));
        emit QuotaPay.Ended(buyer, 8 * SPACE_PRICE);
        spacePay.end(buyer);
    }

    function test_a_signed_purchase_and_announced_terms() public {
        token.transfer(buyer, 10 * SPACE_PRICE);
        vm.prank(buyer);
        token.approve(address(spacePay), type(uint256).max);
        bytes32 typeHash = keccak256(
            "Purchase(address payer,address buyer,uint64 sizeByte,uint256 maxAtto,uint256 nonce,uint64 deadline)"
        );
        // The last second still counts.
        Purchase memory purchase = Purchase(buyer, seller, 10, 10 * SPACE_PRICE, 0, uint64(block.timestamp));
        bytes32 digest = digestOf(keccak256(abi.encode(typeHash, purchase)), address(spacePay));
        bytes memory signature = sign(BUYER_KEY, digest);
        vm.expectEmit(address(spacePay));
        emit QuotaPay.PurchaseUsed(buyer, 0);
        market.buySigned(Quota.Space, purchase, signature);
        equal(market.spacePayInfo(seller).sizeByte, 10, "for whom the payer named");
        vm.expectEmit(address(market));
        emit SpaceMarket.TermsAnnounced(8, 9, buyer, block.timestamp + DELAY_SECONDS, block.number + DELAY_BLOCKS);
        market.announceTerms(MarketTerms(8, 9, buyer));
    }

    function test_a_sale_that_is_released_and_one_that_is_given_back() public {
        vm.expectEmit(address(fileDid));
        emit FileDid.RegisterMfileDid(MFILE);
        register(MFILE, SEALED);
        vm.expectEmit(address(files));
        emit FileProxy.ReadSold(MFILE, READER_ID, address(this), PRICE, true);
        vm.expectEmit(address(fileDid));
        emit FileDid.BuyRead(MFILE, READER_ID);
        files.buyRead(MFILE, READER_ID);
        files.buyRead(MFILE, OWNER_ID);
        vm.expectEmit(address(files));
        emit FileProxy.SaleReleased(MFILE, READER_ID, vm.addr(OWNER_KEY), PRICE);
        vm.prank(RELEASER);
        files.release(MFILE, READER_ID);
        passTime(REFUND_SECONDS, REFUND_BLOCKS);
        vm.expectEmit(address(files));
        emit FileProxy.SaleRefunded(MFILE, OWNER_ID, address(this), PRICE);
        vm.expectEmit(address(fileDid));
        emit FileDid.DeactivateRead(MFILE, OWNER_ID);
        vm.prank(seller);
        files.refund(MFILE, OWNER_ID);
        vm.expectEmit(address(files));
        emit FileProxy.Withdrawn(address(this), PRICE);
        files.withdraw();
        register("open", bytes32(0));
        vm.expectEmit(address(files));
        emit FileProxy.ReadSold("open", READER_ID, address(this), PRICE, false);
        files.buyRead("open", READER_ID);
    }

    function test_changes_of_a_file() public {
        register(MFILE, bytes32(0));
        bytes memory signature = typed(FileTypedData.read("GrantFileRead", MFILE, OWNER_ID, READER_ID, nonce()));
        vm.expectEmit(address(fileDid));
        emit FileDid.GrantRead(MFILE, READER_ID);
        files.grantRead(MFILE, READER_ID, signature);
        signature = typed(FileTypedData.changeFtype(MFILE, OWNER_ID, 1, nonce()));
        vm.expectEmit(address(fileDid));
        emit FileDid.ChangeFtype(MFILE, 1);
        files.changeFtype(MFILE, 1, signature);
        signature = typed(FileTypedData.changePrice(MFILE, OWNER_ID, 9, nonce()));
        vm.expectEmit(address(fileDid));
        emit FileDid.ChangePrice(MFILE, 9);
        files.changePrice(MFILE, 9, signature);
        string[] memory keywords = new string[](1);
        keywords[0] = "word";
        signature = typed(FileTypedData.changeKeywords(MFILE, OWNER_ID, keywords, nonce()));
        vm.expectEmit(address(fileDid));
        emit FileDid.ChangeKeywords(MFILE, keywords);
        files.changeKeywords(MFILE, keywords, signature);
        signature = typed(FileTypedData.changeController(MFILE, OWNER_ID, READER_ID, nonce()));
        vm.expectEmit(address(fileDid));
        emit FileDid.ChangeController(MFILE, READER_ID);
        files.changeController(MFILE, READER_ID, signature);
        bytes32 digest = digestOf(FileTypedData.deactivate(MFILE, READER_ID, 0), address(files));
        vm.expectEmit(address(fileDid));
        emit FileDid.DeactivateMfileDid(MFILE, true);
        files.deactivateMfileDid(MFILE, true, sign(READER_KEY, digest));
    }
}
