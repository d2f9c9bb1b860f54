// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {FileDid} from "../../src/FileDid.sol";
import {FileProxy} from "../../src/FileProxy.sol";
import {DidMessages} from "../../src/libraries/DidMessages.sol";
import {DidRecord} from "../../src/libraries/DidRecord.sol";
import {DidSignatures} from "../../src/libraries/DidSignatures.sol";
import {FileMessages} from "../../src/libraries/FileMessages.sol";
import {FileText} from "../../src/libraries/FileText.sol";
import {FileTypedData} from "../../src/libraries/FileTypedData.sol";
import {SaleBook} from "../../src/libraries/SaleBook.sol";
import {FileListing} from "../../src/types/FileTypes.sol";
import {Lock} from "../../src/types/RoleTypes.sol";
import {FileNetwork} from "./support/FileNetwork.sol";
import {HostileToken} from "./support/Hostile.sol";
import {Vm} from "./support/Test.sol";

contract FileDidTest is FileNetwork {
    address private owner = vm.addr(OWNER_KEY);

    function test_a_typed_registration_carries_name_and_size() public {
        vm.recordLogs();
        register(MFILE, bytes32(0));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs[0].topics[0], keccak256("RegisterMfileDid(string)"), "the original's event");
        equal(logs[0].topics.length, 1, "not indexed");
        (FileListing memory file, bool deactivated) = fileDid.data(MFILE);
        equal(file.name, "a.txt", "name");
        equal(file.sizeBytes, 5, "size");
        check(!deactivated, "alive");
        equal(fileDid.getEncode(MFILE), "mid", "encode");
        equal(fileDid.getController(MFILE), OWNER_ID, "controller");
        equal(fileDid.getPrice(MFILE), PRICE, "price");
        equal(fileDid.getFtype(MFILE), 0, "private");
        equal(fileDid.getKeywords(MFILE)[1], "c", "keywords");
        equal(files.getFileDidNonce(OWNER_ID), 1, "one nonce is used");
        equal(files.getFileDidNonceByMfile(MFILE), 1, "found by the file");
    }

    function test_the_published_registration_verifies() public {
        string memory json = vm.readFile("../../spec/vectors/file-did.json");
        FileListing memory file = _published(json);
        bytes memory message = FileMessages.register(file, uint64(vm.parseJsonUint(json, ".original.nonce")));
        equal(keccak256(message), keccak256(vm.parseJsonBytes(json, ".original.message")), "207 bytes");
        bytes32 digest = MessageHashUtils.toEthSignedMessageHash(message);
        equal(digest, vm.parseJsonBytes32(json, ".original.digest"), "digest");
        bytes memory signature = vm.parseJsonBytes(json, ".original.signature");
        check(DidSignatures.isValid(vm.parseJsonAddress(json, ".signer"), digest, signature), "signature");
    }

    function test_the_published_registration_registers_at_its_nonce() public {
        string memory json = vm.readFile("../../spec/vectors/file-did.json");
        FileListing memory file = _published(json);
        uint256 key = vm.parseJsonUint(json, ".secretTestKey");
        createDid(key, file.controller);
        for (uint64 used = 0; used < 3; ++used) {
            FileListing memory other = FileListing(
                string.concat("before", vm.toString(used)), "mid", 0, file.controller, 0, new string[](0), "", 0, 0
            );
            files.registerFile(other, sign(key, digestOf(FileTypedData.register(other, used), address(files))));
        }
        bytes memory signature = vm.parseJsonBytes(json, ".original.signature");
        vm.prank(vm.addr(key));
        files.registerMfileDid(
            file.mfile, file.encode, file.ftype, file.controller, file.price, file.keywords, signature
        );
        equal(fileDid.getKeywords(file.mfile).length, 5, "registered");
    }

    function test_typed_messages_have_the_digests_of_the_vectors() public {
        string memory json = vm.readFile("../../spec/vectors/file-did.json");
        vm.chainId(vm.parseJsonUint(json, ".chainId"));
        FileListing memory file = _published(json);
        (file.name, file.sizeBytes, file.keyRoot) = ("dog.jpg", 2048, bytes32(uint256(7)));
        _checkVector(json, 0, FileTypedData.register(file, 3));
        string memory id = file.controller;
        _checkVector(json, 1, FileTypedData.changeController(file.mfile, id, READER_ID, 4));
        _checkVector(json, 2, FileTypedData.changeFtype(file.mfile, id, 1, 5));
        _checkVector(json, 3, FileTypedData.changePrice(file.mfile, id, 9, 6));
        _checkVector(json, 4, FileTypedData.changeKeywords(file.mfile, id, file.keywords, 7));
        _checkVector(json, 5, FileTypedData.read("GrantFileRead", file.mfile, id, READER_ID, 8));
        _checkVector(json, 6, FileTypedData.read("RevokeFileRead", file.mfile, id, READER_ID, 9));
        _checkVector(json, 7, FileTypedData.deactivate(file.mfile, id, 10));
    }

    function test_a_relayer_cannot_cut_keywords_elsewhere() public {
        FileListing memory file = listing(MFILE, bytes32(0));
        (file.name, file.sizeBytes) = ("", 0);
        bytes memory signature = legacy(FileMessages.register(file, 0));
        string[] memory cut = new string[](2);
        (cut[0], cut[1]) = ("a", "bc");
        vm.expectRevert(abi.encodeWithSelector(FileProxy.KeywordsNeedTypedData.selector, owner));
        files.registerMfileDid(MFILE, "mid", 0, OWNER_ID, PRICE, cut, signature);
        vm.expectRevert(abi.encodeWithSelector(FileProxy.WrongSignature.selector, OWNER_ID, 0));
        files.registerMfileDid(MFILE, "mid", 0, OWNER_ID, PRICE, new string[](0), signature);
        bytes memory asTyped = typed(FileTypedData.register(file, 0));
        vm.expectRevert(abi.encodeWithSelector(FileProxy.KeywordsNeedTypedData.selector, owner));
        files.registerMfileDid(MFILE, "mid", 0, OWNER_ID, PRICE, cut, asTyped);
        files.registerMfileDid(MFILE, "mid", 0, OWNER_ID, PRICE, file.keywords, asTyped);
        signature = legacy(FileMessages.changeKeywords(MFILE, file.keywords, 1));
        vm.expectRevert(abi.encodeWithSelector(FileProxy.KeywordsNeedTypedData.selector, owner));
        files.changeKeywords(MFILE, cut, signature);
        vm.prank(owner);
        files.changeKeywords(MFILE, file.keywords, signature);
    }

    function test_every_change_takes_both_forms_and_uses_one_nonce() public {
        register(MFILE, bytes32(0));
        files.changePrice(MFILE, 7, legacy(FileMessages.changePrice(MFILE, 7, 1)));
        files.changePrice(MFILE, 8, typed(FileTypedData.changePrice(MFILE, OWNER_ID, 8, 2)));
        equal(fileDid.getPrice(MFILE), 8, "price");
        files.changeFtype(MFILE, 1, legacy(FileMessages.changeFtype(MFILE, 1, 3)));
        files.changeFtype(MFILE, 0, typed(FileTypedData.changeFtype(MFILE, OWNER_ID, 0, 4)));
        files.changeKeywords(MFILE, new string[](0), legacy(FileMessages.changeKeywords(MFILE, new string[](0), 5)));
        equal(fileDid.getKeywords(MFILE).length, 0, "keywords are replaced");
        files.grantRead(MFILE, READER_ID, legacy(FileMessages.read("grantRead", MFILE, READER_ID, 6)));
        equal(fileDid.read(MFILE, READER_ID), 2, "granted");
        bytes32 again = FileTypedData.read("GrantFileRead", MFILE, OWNER_ID, READER_ID, 7);
        bytes memory signature = typed(again);
        vm.expectRevert(abi.encodeWithSelector(FileDid.AlreadyReads.selector, MFILE, READER_ID, 2));
        files.grantRead(MFILE, READER_ID, signature);
        files.deactivateRead(MFILE, READER_ID, legacy(FileMessages.read("deactivateRead", MFILE, READER_ID, 7)));
        equal(fileDid.read(MFILE, READER_ID), 0, "revoked");
        files.changeController(MFILE, READER_ID, legacy(FileMessages.changeController(MFILE, READER_ID, 8)));
        equal(fileDid.getController(MFILE), READER_ID, "the next controller");
        equal(files.getFileDidNonce(OWNER_ID), 9, "nine operations");
        signature = typed(FileTypedData.changePrice(MFILE, READER_ID, 1, 0));
        vm.expectRevert(abi.encodeWithSelector(FileProxy.WrongSignature.selector, READER_ID, 0));
        files.changePrice(MFILE, 1, signature);
        files.changePrice(
            MFILE, 1, sign(READER_KEY, digestOf(FileTypedData.changePrice(MFILE, READER_ID, 1, 0), address(files)))
        );
    }

    function test_a_stranger_registers_nothing_for_a_controller() public {
        FileListing memory file = listing(MFILE, bytes32(0));
        bytes memory signature = sign(READER_KEY, digestOf(FileTypedData.register(file, 0), address(files)));
        vm.expectRevert(abi.encodeWithSelector(FileProxy.WrongSignature.selector, OWNER_ID, 0));
        files.registerFile(file, signature);
        signature = legacy(FileMessages.register(file, 0));
        vm.expectRevert(abi.encodeWithSelector(FileProxy.WrongSignature.selector, OWNER_ID, 0));
        files.registerFile(file, signature);
    }

    function test_nothing_is_replayed() public {
        register(MFILE, bytes32(0));
        bytes memory signature = typed(FileTypedData.changePrice(MFILE, OWNER_ID, 8, 1));
        vm.chainId(986);
        vm.expectRevert(abi.encodeWithSelector(FileProxy.WrongSignature.selector, OWNER_ID, 1));
        files.changePrice(MFILE, 8, signature);
        vm.chainId(31337);
        bytes memory elsewhere =
            sign(OWNER_KEY, digestOf(FileTypedData.changePrice(MFILE, OWNER_ID, 8, 1), address(didProxy)));
        vm.expectRevert(abi.encodeWithSelector(FileProxy.WrongSignature.selector, OWNER_ID, 1));
        files.changePrice(MFILE, 8, elsewhere);
        files.changePrice(MFILE, 8, signature);
        vm.expectRevert(abi.encodeWithSelector(FileProxy.WrongSignature.selector, OWNER_ID, 2));
        files.changePrice(MFILE, 8, signature);
        signature = typed(FileTypedData.read("GrantFileRead", MFILE, OWNER_ID, READER_ID, 2));
        vm.expectRevert(abi.encodeWithSelector(FileProxy.WrongSignature.selector, OWNER_ID, 2));
        files.deactivateRead(MFILE, READER_ID, signature);
    }

    function test_a_file_is_registered_once_and_deactivated_for_good() public {
        register(MFILE, bytes32(0));
        FileListing memory file = listing(MFILE, bytes32(0));
        bytes memory signature = typed(FileTypedData.register(file, 1));
        vm.expectRevert(abi.encodeWithSelector(FileDid.FileExists.selector, MFILE));
        files.registerFile(file, signature);
        vm.expectRevert(FileProxy.DeactivationIsFinal.selector);
        files.deactivateMfileDid(MFILE, false, signature);
        files.deactivateMfileDid(MFILE, true, legacy(FileMessages.deactivate(MFILE, 1)));
        check(fileDid.deactivated(MFILE), "deactivated");
        signature = typed(FileTypedData.register(file, 2));
        vm.expectRevert(abi.encodeWithSelector(FileDid.FileExists.selector, MFILE));
        files.registerFile(file, signature);
        signature = typed(FileTypedData.changePrice(MFILE, OWNER_ID, 1, 2));
        vm.expectRevert(abi.encodeWithSelector(FileDid.FileDeactivated.selector, MFILE));
        files.changePrice(MFILE, 1, signature);
        vm.expectRevert(abi.encodeWithSelector(FileDid.FileDeactivated.selector, MFILE));
        files.buyRead(MFILE, READER_ID);
    }

    function test_a_deactivated_did_controls_nothing() public {
        register(MFILE, bytes32(0));
        bytes32 digest = MessageHashUtils.toEthSignedMessageHash(DidMessages.deactivateDid(OWNER_ID, 1));
        didProxy.deactivateDID(OWNER_ID, true, sign(OWNER_KEY, digest));
        bytes memory signature = typed(FileTypedData.changePrice(MFILE, OWNER_ID, 1, 1));
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidDeactivated.selector, OWNER_ID));
        files.changePrice(MFILE, 1, signature);
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidDeactivated.selector, OWNER_ID));
        files.buyRead(MFILE, READER_ID);
    }

    function test_a_sale_without_a_sealed_key_pays_the_controller_at_once() public {
        register(MFILE, bytes32(0));
        files.buyRead(MFILE, READER_ID);
        equal(fileDid.read(MFILE, READER_ID), 1, "bought");
        equal(files.withdrawableOf(owner), PRICE, "the controller's");
        vm.expectRevert(abi.encodeWithSelector(FileDid.AlreadyReads.selector, MFILE, READER_ID, 1));
        files.buyRead(MFILE, READER_ID);
        bytes memory signature = typed(FileTypedData.read("RevokeFileRead", MFILE, OWNER_ID, READER_ID, 1));
        vm.expectRevert(abi.encodeWithSelector(FileDid.OnlyGrantedIsRevoked.selector, MFILE, READER_ID, 1));
        files.deactivateRead(MFILE, READER_ID, signature);
        vm.expectRevert(abi.encodeWithSelector(SaleBook.NoSale.selector, MFILE, READER_ID));
        files.refund(MFILE, READER_ID);
        vm.prank(owner);
        files.withdraw();
        equal(token.balanceOf(owner), PRICE, "paid out");
        vm.expectRevert(SaleBook.AmountMissing.selector);
        vm.prank(owner);
        files.withdraw();
    }

    function test_a_sealed_sale_waits_for_its_key() public {
        register(MFILE, bytes32(uint256(1)));
        files.buyRead(MFILE, READER_ID);
        equal(files.withdrawableOf(owner), 0, "not yet");
        equal(files.getSale(MFILE, READER_ID).amount, PRICE, "it waits");
        vm.expectRevert(abi.encodeWithSelector(FileProxy.NotReleaser.selector, address(this)));
        files.release(MFILE, READER_ID);
        vm.prank(RELEASER);
        files.release(MFILE, READER_ID);
        equal(files.withdrawableOf(owner), PRICE, "released");
        vm.expectRevert(abi.encodeWithSelector(SaleBook.NoSale.selector, MFILE, READER_ID));
        vm.prank(RELEASER);
        files.release(MFILE, READER_ID);
        passTime(REFUND_SECONDS, REFUND_BLOCKS);
        vm.expectRevert(abi.encodeWithSelector(SaleBook.NoSale.selector, MFILE, READER_ID));
        files.refund(MFILE, READER_ID);
    }

    function test_a_key_that_does_not_come_gives_the_money_back_and_takes_the_right() public {
        register(MFILE, bytes32(uint256(1)));
        files.buyRead(MFILE, READER_ID);
        uint256 untilTime = block.timestamp + REFUND_SECONDS;
        uint256 untilBlock = block.number + REFUND_BLOCKS;
        passTime(REFUND_SECONDS, REFUND_BLOCKS - 1);
        vm.expectRevert(abi.encodeWithSelector(SaleBook.LockNotOver.selector, untilTime, untilBlock));
        files.refund(MFILE, READER_ID);
        passTime(0, 1);
        files.deactivateMfileDid(MFILE, true, typed(FileTypedData.deactivate(MFILE, OWNER_ID, 1)));
        vm.prank(address(0x57a));
        files.refund(MFILE, READER_ID);
        equal(files.withdrawableOf(address(this)), PRICE, "the payer's");
        equal(fileDid.read(MFILE, READER_ID), 0, "no right");
        equal(files.refundLock().waitBlocks, REFUND_BLOCKS, "the lock is told");
    }

    function test_sealed_keys_are_not_sold_where_nobody_releases_them() public {
        FileDid storageOnly = new FileDid(next(1));
        FileProxy proxy =
            new FileProxy(IERC20(address(token)), accountDid, storageOnly, address(0), Lock(REFUND_SECONDS, 1));
        vm.expectRevert(FileProxy.SealedSalesUnavailable.selector);
        proxy.registerFile(listing(MFILE, bytes32(uint256(1))), "");
    }

    function test_a_raised_price_takes_no_more_than_the_limit() public {
        register(MFILE, bytes32(0));
        address payer = vm.addr(READER_KEY);
        token.transfer(payer, 10 * PRICE);
        (uint8 v, bytes32 r, bytes32 s) = _permit(payer, PRICE);
        files.changePrice(MFILE, PRICE + 1, typed(FileTypedData.changePrice(MFILE, OWNER_ID, PRICE + 1, 1)));
        vm.expectRevert(abi.encodeWithSelector(FileProxy.PriceAboveLimit.selector, PRICE + 1, PRICE));
        vm.prank(payer);
        files.buyReadWithPermit(MFILE, READER_ID, PRICE, block.timestamp, v, r, s);
        files.changePrice(MFILE, PRICE, typed(FileTypedData.changePrice(MFILE, OWNER_ID, PRICE, 2)));
        token.permit(payer, address(files), PRICE, block.timestamp, v, r, s);
        vm.prank(payer);
        files.buyReadWithPermit(MFILE, READER_ID, PRICE, block.timestamp, v, r, s);
        equal(token.balanceOf(payer), 9 * PRICE, "a permit that was used first does no harm");
    }

    function test_public_and_unknown_files_and_unknown_readers_are_not_bought() public {
        vm.expectRevert(abi.encodeWithSelector(FileDid.FileUnknown.selector, MFILE));
        files.buyRead(MFILE, READER_ID);
        vm.expectRevert(abi.encodeWithSelector(FileDid.FileUnknown.selector, MFILE));
        files.changePrice(MFILE, 1, "");
        register(MFILE, bytes32(0));
        string memory nobody = "bb23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        vm.expectRevert(abi.encodeWithSelector(DidRecord.DidUnknown.selector, nobody));
        files.buyRead(MFILE, nobody);
        files.changeFtype(MFILE, 1, typed(FileTypedData.changeFtype(MFILE, OWNER_ID, 1, 1)));
        vm.expectRevert(abi.encodeWithSelector(FileProxy.FileIsPublic.selector, MFILE));
        files.buyRead(MFILE, READER_ID);
    }

    function test_texts_are_bounded() public {
        FileListing memory file = listing("", bytes32(0));
        _refused(file, abi.encodeWithSelector(FileText.InvalidMfile.selector, ""));
        file = listing(string(new bytes(129)), bytes32(0));
        _refused(file, abi.encodeWithSelector(FileText.InvalidMfile.selector, file.mfile));
        file = listing("a:b", bytes32(0));
        _refused(file, abi.encodeWithSelector(FileText.InvalidMfile.selector, "a:b"));
        file = listing(MFILE, bytes32(0));
        file.encode = "sha";
        _refused(file, abi.encodeWithSelector(FileText.InvalidEncode.selector, "sha"));
        file.encode = "cid";
        file.ftype = 2;
        _refused(file, abi.encodeWithSelector(FileText.InvalidFtype.selector, 2));
        file.ftype = 1;
        file.name = string(new bytes(256));
        _refused(file, abi.encodeWithSelector(FileText.NameTooLong.selector, 256, 255));
        file.name = "";
        file.keywords = new string[](33);
        _refused(file, abi.encodeWithSelector(FileText.TooManyKeywords.selector, 33, 32));
        file.keywords = new string[](1);
        _refused(file, abi.encodeWithSelector(FileText.InvalidKeyword.selector, 0, 0));
        file.keywords[0] = string(new bytes(65));
        _refused(file, abi.encodeWithSelector(FileText.InvalidKeyword.selector, 0, 65));
    }

    function test_only_the_proxy_writes_to_the_storage() public {
        bytes memory refusal = abi.encodeWithSelector(FileDid.NotOwner.selector, address(this));
        vm.expectRevert(refusal);
        fileDid.buyRead(MFILE, READER_ID);
        vm.expectRevert(refusal);
        fileDid.cancelBought(MFILE, READER_ID);
        vm.expectRevert(refusal);
        fileDid.registerMfileDid(listing(MFILE, bytes32(0)));
    }

    function test_a_token_that_calls_back_is_paid_once() public {
        HostileToken hostile = new HostileToken();
        FileDid store = new FileDid(next(1));
        FileProxy proxy = new FileProxy(IERC20(address(hostile)), accountDid, store, address(0), Lock(1, 1));
        FileListing memory file = listing(MFILE, bytes32(0));
        proxy.registerFile(file, sign(OWNER_KEY, digestOf(FileTypedData.register(file, 0), address(proxy))));
        proxy.buyRead(MFILE, READER_ID);
        hostile.aim(address(proxy), abi.encodeCall(FileProxy.withdraw, ()));
        vm.prank(owner);
        proxy.withdraw();
        check(!hostile.succeeded(), "the second withdrawal inside the first fails");
        equal(proxy.total(), 0, "paid once");
    }

    function test_the_event_topics_are_the_published_ones() public {
        equal(
            keccak256(bytes(MFILE)),
            0x907f3fa86ec2186091a1b80ab74065d5022242b56f9c98db7cfd2b452eabad53,
            "the topic of the file's events"
        );
        register(MFILE, bytes32(0));
        vm.recordLogs();
        files.buyRead(MFILE, READER_ID);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs[1].topics[0], keccak256("BuyRead(string,string)"), "signature");
        equal(logs[1].topics[1], keccak256(bytes(MFILE)), "indexed by the file");
    }

    function _published(string memory json) private pure returns (FileListing memory) {
        return FileListing(
            vm.parseJsonString(json, ".original.mfile"),
            vm.parseJsonString(json, ".original.encode"),
            uint8(vm.parseJsonUint(json, ".original.ftype")),
            vm.parseJsonString(json, ".original.controller"),
            vm.parseJsonUint(json, ".original.price"),
            vm.parseJsonStringArray(json, ".original.keywords"),
            "",
            0,
            bytes32(0)
        );
    }

    function _checkVector(string memory json, uint256 place, bytes32 structHash) private view {
        string memory at = string.concat(".messages[", vm.toString(place), "].digest");
        bytes32 digest = digestOf(structHash, vm.parseJsonAddress(json, ".verifyingContract"));
        equal(digest, vm.parseJsonBytes32(json, at), at);
    }

    function _refused(FileListing memory file, bytes memory reason) private {
        bytes memory signature = typed(FileTypedData.register(file, 0));
        vm.expectRevert(reason);
        files.registerFile(file, signature);
    }

    function _permit(address payer, uint256 amount) private view returns (uint8, bytes32, bytes32) {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash =
            keccak256(abi.encode(typeHash, payer, address(files), amount, token.nonces(payer), block.timestamp));
        return vm.sign(READER_KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
    }
}
