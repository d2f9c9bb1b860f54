// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AccountDid} from "./AccountDid.sol";
import {FileDid} from "./FileDid.sol";
import {DidRecord} from "./libraries/DidRecord.sol";
import {DidSignatures} from "./libraries/DidSignatures.sol";
import {DidText} from "./libraries/DidText.sol";
import {FileMessages} from "./libraries/FileMessages.sol";
import {FileTypedData} from "./libraries/FileTypedData.sol";
import {SaleBook} from "./libraries/SaleBook.sol";
import {FileListing, Sale} from "./types/FileTypes.sol";
import {Lock} from "./types/RoleTypes.sol";

/// @title Where files are registered, changed and bought
/// @notice Anyone relays; the master key of the file's controller signs, in the original's or the typed form. It holds
/// the money of sales, which is pulled, never pushed (spec/file-did.md).
contract FileProxy is EIP712 {
    using SafeERC20 for IERC20;
    using SaleBook for SaleBook.Book;
    using SaleBook for Sale;

    uint8 private constant PUBLIC = 1;

    IERC20 public immutable TOKEN;
    AccountDid public immutable ACCOUNT_DID;
    FileDid public immutable FILE_DID;

    /// @notice Says that a sold key was released; the zero address means that nobody can, and keys are not sold sealed.
    address public immutable RELEASER;

    Lock private _refundLock;
    SaleBook.Book private _sales;

    mapping(bytes32 controllerKey => uint64 nonce) private _nonces;

    event ReadSold(string indexed mfile, string reader, address indexed payer, uint256 amount, bool waitsForKey);
    event SaleReleased(string indexed mfile, string reader, address indexed seller, uint256 amount);
    event SaleRefunded(string indexed mfile, string reader, address indexed payer, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);

    error WrongSignature(string did, uint64 nonce);
    error KeywordsNeedTypedData(address master);
    error DeactivationIsFinal();
    error SealedSalesUnavailable();
    error FileIsPublic(string mfile);
    error PriceAboveLimit(uint256 price, uint256 limit);
    error NotReleaser(address caller);

    /// @param token the MEMO token
    /// @param accountDid knows the master keys of controllers and readers
    /// @param fileDid the storage contract that this one owns
    /// @param releaser releases sealed sales; zero for nobody
    /// @param refundLock_ how long a sealed sale waits for its key before its money goes back
    constructor(IERC20 token, AccountDid accountDid, FileDid fileDid, address releaser, Lock memory refundLock_)
        EIP712("MEMO", "1")
    {
        TOKEN = token;
        ACCOUNT_DID = accountDid;
        FILE_DID = fileDid;
        RELEASER = releaser;
        _refundLock = refundLock_;
    }

    /// @notice Registers a file without name and size, as the original does.
    function registerMfileDid(
        string memory mfileDid,
        string memory encode,
        uint8 ftype,
        string memory controller,
        uint256 price,
        string[] memory keywords,
        bytes memory signature
    ) external {
        FileListing memory file = FileListing(mfileDid, encode, ftype, controller, price, keywords, "", 0, bytes32(0));
        uint64 nonce = getFileDidNonce(controller);
        bytes32 typed = FileTypedData.register(file, nonce);
        _useWithKeywords(controller, FileMessages.register(file, nonce), typed, keywords.length, signature);
        FILE_DID.registerMfileDid(file);
    }

    /// @notice Registers a file with its name and size, and where its key is sold sealed, with the root of the shares.
    function registerFile(FileListing memory file, bytes memory signature) external {
        if (file.keyRoot != bytes32(0) && RELEASER == address(0)) revert SealedSalesUnavailable();
        uint64 nonce = getFileDidNonce(file.controller);
        _useTyped(file.controller, FileTypedData.register(file, nonce), signature);
        FILE_DID.registerMfileDid(file);
    }

    function changeController(string memory mfileDid, string memory controller, bytes memory signature) external {
        (string memory signer, uint64 nonce) = _controllerOf(mfileDid);
        _masterOf(controller);
        bytes32 typed = FileTypedData.changeController(mfileDid, signer, controller, nonce);
        _use(signer, FileMessages.changeController(mfileDid, controller, nonce), typed, signature);
        FILE_DID.changeController(mfileDid, controller);
    }

    function changeFtype(string memory mfileDid, uint8 ftype, bytes memory signature) external {
        (string memory signer, uint64 nonce) = _controllerOf(mfileDid);
        bytes32 typed = FileTypedData.changeFtype(mfileDid, signer, ftype, nonce);
        _use(signer, FileMessages.changeFtype(mfileDid, ftype, nonce), typed, signature);
        FILE_DID.changeFtype(mfileDid, ftype);
    }

    function changePrice(string memory mfileDid, uint256 price, bytes memory signature) external {
        (string memory signer, uint64 nonce) = _controllerOf(mfileDid);
        bytes32 typed = FileTypedData.changePrice(mfileDid, signer, price, nonce);
        _use(signer, FileMessages.changePrice(mfileDid, price, nonce), typed, signature);
        FILE_DID.changePrice(mfileDid, price);
    }

    /// @notice Replaces all keywords.
    function changeKeywords(string memory mfileDid, string[] memory keywords, bytes memory signature) external {
        (string memory signer, uint64 nonce) = _controllerOf(mfileDid);
        bytes32 typed = FileTypedData.changeKeywords(mfileDid, signer, keywords, nonce);
        bytes memory message = FileMessages.changeKeywords(mfileDid, keywords, nonce);
        _useWithKeywords(signer, message, typed, keywords.length, signature);
        FILE_DID.changeKeywords(mfileDid, keywords);
    }

    function grantRead(string memory mfileDid, string memory memoDid, bytes memory signature) external {
        _masterOf(memoDid);
        _useRead("grantRead", "GrantFileRead", mfileDid, memoDid, signature);
        FILE_DID.grantRead(mfileDid, memoDid);
    }

    /// @notice Takes back a right that was granted.
    function deactivateRead(string memory mfileDid, string memory memoDid, bytes memory signature) external {
        _useRead("deactivateRead", "RevokeFileRead", mfileDid, memoDid, signature);
        FILE_DID.deactivateRead(mfileDid, memoDid);
    }

    /// @notice Deactivates a file for good.
    function deactivateMfileDid(string memory mfileDid, bool deactivated, bytes memory signature) external {
        if (!deactivated) revert DeactivationIsFinal();
        (string memory signer, uint64 nonce) = _controllerOf(mfileDid);
        bytes32 typed = FileTypedData.deactivate(mfileDid, signer, nonce);
        _use(signer, FileMessages.deactivate(mfileDid, nonce), typed, signature);
        FILE_DID.deactivateMfileDid(mfileDid, true);
    }

    /// @notice Buys the right to read for a DID with the caller's money, as the original does; the allowance is the limit.
    function buyRead(string memory mfileDid, string memory memoDid) external {
        _buy(mfileDid, memoDid, type(uint256).max);
    }

    /// @notice The same with a limit, and with the approval as a signature of the caller over it.
    function buyReadWithPermit(
        string memory mfileDid,
        string memory memoDid,
        uint256 maxAtto,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        // Anyone may have submitted the same permit before: then the allowance is there and the transfer decides.
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(address(TOKEN)).permit(msg.sender, address(this), maxAtto, deadline, v, r, s) {} catch {}
        _buy(mfileDid, memoDid, maxAtto);
    }

    /// @notice Gives the money of a sealed sale to the controller; only who checked that the key was released.
    function release(string memory mfileDid, string memory memoDid) external {
        if (msg.sender != RELEASER) revert NotReleaser(msg.sender);
        (bytes32 fileKey, bytes32 readerKey,) = _saleOf(mfileDid, memoDid);
        address seller = ACCOUNT_DID.getMasterKeyAddr(FILE_DID.getController(mfileDid));
        emit SaleReleased(mfileDid, memoDid, seller, _sales.settle(fileKey, readerKey, seller));
    }

    /// @notice Gives the money of a sealed sale whose key did not come in time back, and takes the right. Anyone may call.
    function refund(string memory mfileDid, string memory memoDid) external {
        (bytes32 fileKey, bytes32 readerKey, Sale memory sale) = _saleOf(mfileDid, memoDid);
        sale.requireOver(_refundLock);
        emit SaleRefunded(mfileDid, memoDid, sale.payer, _sales.settle(fileKey, readerKey, sale.payer));
        FILE_DID.cancelBought(mfileDid, memoDid);
    }

    /// @notice Pays the caller all that is its own.
    function withdraw() external {
        uint256 amount = _sales.take(msg.sender);
        emit Withdrawn(msg.sender, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @notice The number that the controller signs next about the file; of this file's controller.
    function getFileDidNonceByMfile(string memory mfileDid) external view returns (uint64) {
        return getFileDidNonce(FILE_DID.getController(mfileDid));
    }

    function withdrawableOf(address account) external view returns (uint256) {
        return _sales.withdrawableOf[account];
    }

    /// @notice The sum of all that waits for a key and all that can be withdrawn.
    function total() external view returns (uint256) {
        return _sales.total;
    }

    /// @notice What waits for the key of a sale; amount and block are 0 where nothing does.
    function getSale(string memory mfileDid, string memory memoDid) external view returns (Sale memory) {
        return _sales.saleOf[keccak256(bytes(mfileDid))][DidText.keyOf(memoDid)];
    }

    function refundLock() external view returns (Lock memory) {
        return _refundLock;
    }

    /// @notice The number that a controller signs next; 0 before its first operation.
    function getFileDidNonce(string memory controller) public view returns (uint64) {
        return _nonces[DidText.keyOf(controller)];
    }

    function _buy(string memory mfileDid, string memory memoDid, uint256 limit) private {
        (FileListing memory file,) = FILE_DID.data(mfileDid);
        if (bytes(file.controller).length == 0) revert FileDid.FileUnknown(mfileDid);
        if (file.ftype == PUBLIC) revert FileIsPublic(mfileDid);
        if (file.price > limit) revert PriceAboveLimit(file.price, limit);
        address seller = _masterOf(file.controller);
        _masterOf(memoDid);
        bool waits = file.keyRoot != bytes32(0);
        if (waits) _await(mfileDid, memoDid, file.price);
        else _sales.withdrawableOf[seller] += file.price;
        _sales.total += file.price;
        emit ReadSold(mfileDid, memoDid, msg.sender, file.price, waits);
        FILE_DID.buyRead(mfileDid, memoDid);
        TOKEN.safeTransferFrom(msg.sender, address(this), file.price);
    }

    function _await(string memory mfileDid, string memory memoDid, uint256 price) private {
        _sales.saleOf[keccak256(bytes(mfileDid))][DidText.keyOf(memoDid)] =
            Sale(msg.sender, uint64(block.timestamp), price, uint64(block.number));
    }

    function _useRead(
        string memory operation,
        string memory structName,
        string memory mfileDid,
        string memory memoDid,
        bytes memory signature
    ) private {
        (string memory signer, uint64 nonce) = _controllerOf(mfileDid);
        bytes32 typed = FileTypedData.read(structName, mfileDid, signer, memoDid, nonce);
        _use(signer, FileMessages.read(operation, mfileDid, memoDid, nonce), typed, signature);
    }

    /// @dev The original's message runs keywords together: whoever relays it could cut them elsewhere. So with keywords
    /// it counts only from the master address itself.
    function _useWithKeywords(
        string memory controller,
        bytes memory message,
        bytes32 typed,
        uint256 keywordCount,
        bytes memory signature
    ) private {
        address master = _masterOf(controller);
        if (keywordCount != 0 && msg.sender != master && !_isTyped(master, typed, signature)) {
            revert KeywordsNeedTypedData(master);
        }
        _use(controller, message, typed, signature);
    }

    function _useTyped(string memory controller, bytes32 typed, bytes memory signature) private {
        if (!_isTyped(_masterOf(controller), typed, signature)) {
            revert WrongSignature(controller, getFileDidNonce(controller));
        }
        ++_nonces[DidText.keyOf(controller)];
    }

    /// @dev Checks a signature of the controller's master key over either form and uses up the nonce.
    function _use(string memory controller, bytes memory message, bytes32 typed, bytes memory signature) private {
        address master = _masterOf(controller);
        bytes32 legacy = MessageHashUtils.toEthSignedMessageHash(message);
        if (!_isTyped(master, typed, signature) && !DidSignatures.isValid(master, legacy, signature)) {
            revert WrongSignature(controller, getFileDidNonce(controller));
        }
        ++_nonces[DidText.keyOf(controller)];
    }

    function _isTyped(address master, bytes32 typed, bytes memory signature) private view returns (bool) {
        return DidSignatures.isValid(master, _hashTypedDataV4(typed), signature);
    }

    function _controllerOf(string memory mfileDid) private view returns (string memory controller, uint64 nonce) {
        controller = FILE_DID.getController(mfileDid);
        if (bytes(controller).length == 0) revert FileDid.FileUnknown(mfileDid);
        nonce = getFileDidNonce(controller);
    }

    function _saleOf(string memory mfileDid, string memory memoDid)
        private
        view
        returns (bytes32 fileKey, bytes32 readerKey, Sale memory sale)
    {
        (fileKey, readerKey) = (keccak256(bytes(mfileDid)), DidText.keyOf(memoDid));
        sale = _sales.saleOf[fileKey][readerKey];
        if (sale.boughtBlock == 0) revert SaleBook.NoSale(mfileDid, memoDid);
    }

    /// @dev A living DID's master; names the reason where it is unknown or deactivated.
    function _masterOf(string memory did) private view returns (address master) {
        bool deactivated;
        (master, deactivated) = ACCOUNT_DID.data(did);
        if (master == address(0)) revert DidRecord.DidUnknown(did);
        if (deactivated) revert DidRecord.DidDeactivated(did);
    }
}
