// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {FileProxy} from "../../src/FileProxy.sol";
import {QuotaPay} from "../../src/QuotaPay.sol";
import {SpaceMarket} from "../../src/SpaceMarket.sol";
import {FileText} from "../../src/libraries/FileText.sol";
import {FileTypedData} from "../../src/libraries/FileTypedData.sol";
import {FileListing} from "../../src/types/FileTypes.sol";
import {Purchase, Quota} from "../../src/types/MarketTypes.sol";
import {FileNetwork} from "./support/FileNetwork.sol";
import {GasMeter} from "./support/GasMeter.sol";

/// @notice The market and files at the worst state that their limits allow.
contract MarketGasTest is FileNetwork, GasMeter {
    address private constant STRANGER = address(0x57a);
    address private constant EXPIRED = address(0xe4d);
    FileListing private largest;
    FileListing private sold;

    function setUp() public override {
        super.setUp();
        FileListing memory file = _largest("z");
        largest = file;
        files.registerFile(file, typed(FileTypedData.register(file, 0)));
        file = _largest("w");
        sold = file;
        files.registerFile(file, typed(FileTypedData.register(file, 1)));
        files.buyRead(file.mfile, READER_ID);
        passTime(REFUND_SECONDS, REFUND_BLOCKS);
        market.buySpace(1000, 1, EXPIRED);
        vm.warp(vm.getBlockTimestamp() + 1 days * VALIDITY_DAYS + 1);
        token.transfer(buyer, 1 ether);
        vm.prank(buyer);
        token.approve(address(spacePay), 1 ether);
        market.buySpace(1000, 1, buyer);
        market.grant(Quota.Space, buyer, 10, "for a trial");
        market.announceTerms(market.terms());
        passTime(DELAY_SECONDS, DELAY_BLOCKS);
    }

    function test_gas_register_file() public {
        FileListing memory file = _largest("y");
        bytes memory data = abi.encodeCall(FileProxy.registerFile, (file, typed(FileTypedData.register(file, 2))));
        measure("file of the largest listing", STRANGER, address(files), data);
    }

    function test_gas_change_keywords() public {
        string[] memory keywords = _keywords("q");
        bytes32 structHash = FileTypedData.changeKeywords(largest.mfile, OWNER_ID, keywords, 2);
        bytes memory data = abi.encodeCall(FileProxy.changeKeywords, (largest.mfile, keywords, typed(structHash)));
        measure("32 keywords for 32 others", STRANGER, address(files), data);
    }

    function test_gas_buy_read() public {
        bytes memory data = abi.encodeCall(FileProxy.buyRead, (largest.mfile, READER_ID));
        measure("read right of the largest listing", address(this), address(files), data);
    }

    function test_gas_register_in_the_original_form() public {
        FileListing memory file = _largest("x");
        file.keyRoot = bytes32(0);
        file.sizeBytes = 0;
        file.name = "";
        bytes memory signature = typed(FileTypedData.register(file, 2));
        bytes memory data = abi.encodeCall(
            FileProxy.registerMfileDid,
            (file.mfile, file.encode, file.ftype, file.controller, file.price, file.keywords, signature)
        );
        measure("file in the original's form", STRANGER, address(files), data);
    }

    function test_gas_grant_read() public {
        bytes32 structHash = FileTypedData.read("GrantFileRead", largest.mfile, OWNER_ID, OWNER_ID, 2);
        bytes memory data = abi.encodeCall(FileProxy.grantRead, (largest.mfile, OWNER_ID, typed(structHash)));
        measure("read right granted", STRANGER, address(files), data);
    }

    function test_gas_release_sale() public {
        bytes memory data = abi.encodeCall(FileProxy.release, (sold.mfile, READER_ID));
        measure("sale released", RELEASER, address(files), data);
    }

    function test_gas_refund_sale() public {
        bytes memory data = abi.encodeCall(FileProxy.refund, (sold.mfile, READER_ID));
        measure("sale refunded", STRANGER, address(files), data);
    }

    function test_gas_buy_space_after_an_end() public {
        bytes memory data = abi.encodeCall(SpaceMarket.buySpace, (1024, 1, EXPIRED));
        measure("space, where what was there has expired", address(this), address(market), data);
    }

    function test_gas_end_quota() public {
        measure("quota ended", STRANGER, address(spacePay), abi.encodeCall(QuotaPay.end, (EXPIRED)));
    }

    function test_gas_signed_purchase() public {
        Purchase memory purchase = Purchase(buyer, STRANGER, 1, 1 ether, 0, type(uint64).max);
        bytes32 kind = keccak256(
            "Purchase(address payer,address buyer,uint64 sizeByte,uint256 maxAtto,uint256 nonce,uint64 deadline)"
        );
        bytes memory signature = sign(BUYER_KEY, digestOf(keccak256(abi.encode(kind, purchase)), address(spacePay)));
        bytes memory data = abi.encodeCall(SpaceMarket.buySigned, (Quota.Space, purchase, signature));
        measure("signed purchase", STRANGER, address(market), data);
    }

    function test_gas_announce_terms() public {
        bytes memory data = abi.encodeCall(SpaceMarket.announceTerms, (market.terms()));
        measure("prices announced", address(this), address(market), data);
    }

    function test_gas_buy_space() public {
        bytes memory data = abi.encodeCall(SpaceMarket.buySpace, (1024, 1, STRANGER));
        measure("space", address(this), address(market), data);
    }

    function test_gas_grant() public {
        bytes memory data =
            abi.encodeCall(SpaceMarket.grant, (Quota.Space, STRANGER, 1024, _text(market.MAX_REASON_BYTES(), "r")));
        measure("grant with the longest reason", address(this), address(market), data);
    }

    function test_gas_cash() public {
        bytes memory signature = voucher(spacePay, BUYER_KEY, 0, 500);
        bytes memory data = abi.encodeCall(QuotaPay.cash, (buyer, 0, 500, signature));
        measure("quota voucher in the original form", seller, address(spacePay), data);
    }

    function _largest(bytes1 letter) private view returns (FileListing memory file) {
        file = listing(_text(FileText.MAX_MFILE_BYTES, letter), bytes32(uint256(1)));
        file.keywords = _keywords(letter);
        file.name = _text(FileText.MAX_NAME_BYTES, letter);
        file.price = 1 ether;
        file.sizeBytes = type(uint64).max;
    }

    function _keywords(bytes1 letter) private pure returns (string[] memory keywords) {
        keywords = new string[](FileText.MAX_KEYWORDS);
        for (uint256 i = 0; i < keywords.length; ++i) {
            keywords[i] = _text(FileText.MAX_KEYWORD_BYTES, letter);
        }
    }

    function _text(uint256 length, bytes1 letter) private pure returns (string memory) {
        bytes memory text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            text[i] = letter;
        }
        return string(text);
    }
}
