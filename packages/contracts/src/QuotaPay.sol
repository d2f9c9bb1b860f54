// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {DidSignatures} from "./libraries/DidSignatures.sol";
import {PayBook} from "./libraries/PayBook.sol";
import {PayInfo, Purchase} from "./types/MarketTypes.sol";

/// @title The money of prepaid quota, deployed once for space and once for traffic
/// @notice The original's StorePay and ReadPay: tokens are approved to it, and its address is in the vouchers, so that
/// those of space are none of traffic (spec/space-market.md).
contract QuotaPay is EIP712 {
    using SafeERC20 for IERC20;
    using PayBook for PayBook.Book;

    bytes32 private constant VOUCHER =
        keccak256("QuotaVoucher(address buyer,address seller,uint256 nonce,uint64 sizeByte)");
    bytes32 private constant PURCHASE = keccak256(
        "Purchase(address payer,address buyer,uint64 sizeByte,uint256 maxAtto,uint256 nonce,uint64 deadline)"
    );

    IERC20 public immutable TOKEN;
    IMarket public immutable MARKET;

    PayBook.Book private _book;

    /// @notice The number that a payer's next signed purchase has.
    mapping(address payer => uint256 nonce) public purchaseNonce;

    event Bought(address indexed buyer, address indexed payer, uint64 sizeByte, uint256 amount, uint64 expire);
    event Granted(address indexed buyer, uint64 sizeByte, uint64 expire);
    event Cashed(address indexed buyer, address indexed seller, uint256 nonce, uint64 sizeByte, uint256 amount);
    event Ended(address indexed buyer, uint256 amount);
    event PurchaseUsed(address indexed payer, uint256 nonce);
    event Withdrawn(address indexed account, uint256 amount);

    error NotMarket(address caller);
    error NotSeller(address caller, address seller);
    error NotSignedBy(address signer);
    error SubmittedTooLate(uint64 submitBy, uint256 now_);
    error StalePurchase(address payer, uint256 nonce, uint256 expected);
    error PriceAboveLimit(uint256 price, uint256 limit);

    /// @param token the MEMO token
    /// @param market sells and grants
    constructor(IERC20 token, IMarket market) EIP712("MEMO", "1") {
        TOKEN = token;
        MARKET = market;
    }

    modifier onlyMarket() {
        if (msg.sender != address(MARKET)) revert NotMarket(msg.sender);
        _;
    }

    /// @notice Takes the money of a purchase from the payer, who has called the market.
    function buy(address payer, address buyer, uint64 sizeByte, uint256 amount, uint64 expire) external onlyMarket {
        _buy(payer, buyer, sizeByte, amount, expire);
    }

    /// @notice The same, with the approval as a signature of the payer, who has called the market.
    function usePermit(address payer, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        onlyMarket
    {
        // Anyone may have submitted the same permit before: then the allowance is there and the transfer decides.
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(address(TOKEN)).permit(payer, address(this), amount, deadline, v, r, s) {} catch {}
    }

    /// @notice Takes the money of a purchase that the payer has signed; anyone called the market.
    function buySigned(Purchase calldata purchase, bytes calldata signature, uint256 amount, uint64 expire)
        external
        onlyMarket
    {
        address payer = purchase.payer;
        if (block.timestamp > purchase.deadline) revert SubmittedTooLate(purchase.deadline, block.timestamp);
        if (amount > purchase.maxAtto) revert PriceAboveLimit(amount, purchase.maxAtto);
        uint256 expected = purchaseNonce[payer];
        if (purchase.nonce != expected) revert StalePurchase(payer, purchase.nonce, expected);
        purchaseNonce[payer] = expected + 1;
        emit PurchaseUsed(payer, expected);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(PURCHASE, purchase)));
        if (!DidSignatures.isValid(payer, digest, signature)) revert NotSignedBy(payer);
        _buy(payer, purchase.buyer, purchase.sizeByte, amount, expire);
    }

    function grant(address buyer, uint64 sizeByte, uint64 expire) external onlyMarket {
        _endIfOver(buyer);
        uint64 until = _book.add(buyer, PayBook.Addition(0, 0, sizeByte, expire, false));
        emit Granted(buyer, sizeByte, until);
    }

    /// @notice Cashes a voucher: what the buyer has used in all under this nonce. Only the seller does, since an older
    /// voucher would make the newer one void.
    function cash(address buyer, uint256 nonce, uint64 sizeByte, bytes calldata signature) external {
        address seller = MARKET.seller();
        if (msg.sender != seller) revert NotSeller(msg.sender, seller);
        if (!_isVoucher(buyer, seller, nonce, sizeByte, signature)) revert NotSignedBy(buyer);
        uint256 amount = _book.cash(buyer, nonce, sizeByte, seller);
        emit Cashed(buyer, seller, nonce, sizeByte, amount);
    }

    /// @notice Ends expired quota; what is left of the money can then be withdrawn. Anyone may call it.
    function end(address buyer) external {
        emit Ended(buyer, _book.end(buyer));
    }

    /// @notice Pays the caller all that is its own: income of a seller, or what expired quota left.
    function withdraw() external {
        uint256 amount = _book.take(msg.sender);
        emit Withdrawn(msg.sender, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    function payInfo(address buyer) external view returns (PayInfo memory) {
        return _book.infoOf[buyer];
    }

    function withdrawableOf(address account) external view returns (uint256) {
        return _book.withdrawableOf[account];
    }

    /// @notice The sum of all balances and of all that can be withdrawn.
    function total() external view returns (uint256) {
        return _book.total;
    }

    /// @notice The original's voucher hash, which the buyer signs without any prefix.
    function voucherHash(uint256 nonce, uint64 sizeByte, address seller) public view returns (bytes32) {
        return keccak256(abi.encodePacked(address(this), nonce, sizeByte, seller));
    }

    function _buy(address payer, address buyer, uint64 sizeByte, uint256 amount, uint64 expire) private {
        _endIfOver(buyer);
        uint64 until = _book.add(buyer, PayBook.Addition(amount, sizeByte, 0, expire, payer == buyer));
        emit Bought(buyer, payer, sizeByte, amount, until);
        TOKEN.safeTransferFrom(payer, address(this), amount);
    }

    /// @dev What has expired is not revived by what is added.
    function _endIfOver(address buyer) private {
        if (_book.isOver(buyer)) emit Ended(buyer, _book.end(buyer));
    }

    function _isVoucher(address buyer, address seller, uint256 nonce, uint64 sizeByte, bytes calldata signature)
        private
        view
        returns (bool)
    {
        bytes32 typed = _hashTypedDataV4(keccak256(abi.encode(VOUCHER, buyer, seller, nonce, sizeByte)));
        return DidSignatures.isValid(buyer, typed, signature)
            || DidSignatures.isValid(buyer, voucherHash(nonce, sizeByte, seller), signature);
    }
}
