// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {FileDid} from "../../../src/FileDid.sol";
import {FileProxy} from "../../../src/FileProxy.sol";
import {FileTypedData} from "../../../src/libraries/FileTypedData.sol";
import {FileListing} from "../../../src/types/FileTypes.sol";
import {Lock} from "../../../src/types/RoleTypes.sol";
import {MarketNetwork} from "./MarketNetwork.sol";

/// @notice Files beside DIDs: a controller, a reader, and a releaser of keys.
abstract contract FileNetwork is MarketNetwork {
    string internal constant OWNER_ID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    string internal constant READER_ID = "aa23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    string internal constant MFILE = "bafkreih6n5g5w4y6u7uvc4mh7jhjm7gidmkrbbpi7phyiyg54gplvngcpm";
    uint256 internal constant OWNER_KEY = 0x04e4;
    uint256 internal constant READER_KEY = 0x4ead;
    uint256 internal constant PRICE = 500;
    uint64 internal constant REFUND_SECONDS = 100;
    uint64 internal constant REFUND_BLOCKS = 10;
    address internal constant RELEASER = address(0x4e1ea5e);

    FileDid internal fileDid;
    FileProxy internal files;

    function setUp() public virtual override {
        super.setUp();
        fileDid = new FileDid(next(1));
        files =
            new FileProxy(IERC20(address(token)), accountDid, fileDid, RELEASER, Lock(REFUND_SECONDS, REFUND_BLOCKS));
        equal(address(files), fileDid.OWNER(), "the proxy stands where the storage expects it");
        createDid(OWNER_KEY, OWNER_ID);
        createDid(READER_KEY, READER_ID);
        token.approve(address(files), type(uint256).max);
    }

    function listing(string memory mfile, bytes32 keyRoot) internal pure returns (FileListing memory) {
        string[] memory keywords = new string[](2);
        (keywords[0], keywords[1]) = ("ab", "c");
        return FileListing(mfile, "mid", 0, OWNER_ID, PRICE, keywords, "a.txt", 5, keyRoot);
    }

    function register(string memory mfile, bytes32 keyRoot) internal {
        FileListing memory file = listing(mfile, keyRoot);
        files.registerFile(file, typed(FileTypedData.register(file, nonce())));
    }

    function nonce() internal view returns (uint64) {
        return files.getFileDidNonce(OWNER_ID);
    }

    /// @notice The owner's signature over the typed form.
    function typed(bytes32 structHash) internal view returns (bytes memory) {
        return sign(OWNER_KEY, digestOf(structHash, address(files)));
    }

    /// @notice The owner's signature over the original's form.
    function legacy(bytes memory message) internal pure returns (bytes memory) {
        return sign(OWNER_KEY, MessageHashUtils.toEthSignedMessageHash(message));
    }
}
