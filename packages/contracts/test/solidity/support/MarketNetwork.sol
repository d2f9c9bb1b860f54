// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AccountDid} from "../../../src/AccountDid.sol";
import {DidProxy} from "../../../src/DidProxy.sol";
import {Governance} from "../../../src/Governance.sol";
import {MemoToken} from "../../../src/MemoToken.sol";
import {QuotaPay} from "../../../src/QuotaPay.sol";
import {SpaceMarket} from "../../../src/SpaceMarket.sol";
import {IMarket} from "../../../src/interfaces/IMarket.sol";
import {DidMessages} from "../../../src/libraries/DidMessages.sol";
import {MarketTerms} from "../../../src/types/MarketTypes.sol";
import {Lock} from "../../../src/types/RoleTypes.sol";
import {Test} from "./Test.sol";

/// @notice The market with its two pay contracts and the DIDs, with this contract as governance and rich buyer.
abstract contract MarketNetwork is Test {
    string internal constant RECOVERY = "EcdsaSecp256k1RecoveryMethod2020";
    uint64 internal constant SPACE_PRICE = 1000;
    uint64 internal constant TRAFFIC_PRICE = 7;
    uint64 internal constant VALIDITY_DAYS = 1095;
    uint64 internal constant DELAY_SECONDS = 3600;
    uint64 internal constant DELAY_BLOCKS = 50;
    uint256 internal constant SUPPLY = 1_000_000 ether;
    uint256 internal constant BUYER_KEY = 0xa11ce;
    uint256 internal constant SELLER_KEY = 0x5e11e4;

    MemoToken internal token;
    Governance internal governance;
    AccountDid internal accountDid;
    DidProxy internal didProxy;
    QuotaPay internal spacePay;
    QuotaPay internal trafficPay;
    SpaceMarket internal market;
    address internal buyer;
    address internal seller;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        vm.roll(100);
        (buyer, seller) = (vm.addr(BUYER_KEY), vm.addr(SELLER_KEY));
        token = new MemoToken(address(this), SUPPLY);
        governance = new Governance(address(this), new Governance.Assignment[](0), new Governance.Membership[](0));
        accountDid = new AccountDid(next(1));
        didProxy = new DidProxy(accountDid, address(this));
        spacePay = new QuotaPay(IERC20(address(token)), IMarket(next(2)));
        trafficPay = new QuotaPay(IERC20(address(token)), IMarket(next(1)));
        market = new SpaceMarket(
            address(governance),
            spacePay,
            trafficPay,
            accountDid,
            MarketTerms(SPACE_PRICE, TRAFFIC_PRICE, seller),
            Lock(DELAY_SECONDS, DELAY_BLOCKS),
            VALIDITY_DAYS
        );
        equal(address(market), address(spacePay.MARKET()), "the market stands where its pay contracts expect it");
        token.approve(address(spacePay), type(uint256).max);
        token.approve(address(trafficPay), type(uint256).max);
    }

    /// @notice The id of a new DID whose master key is an address.
    function createDid(uint256 key, string memory id) internal returns (string memory) {
        bytes memory publicKey = abi.encodePacked(vm.addr(key));
        bytes memory message = DidMessages.createDid(id, RECOVERY, publicKey);
        didProxy.createDID(id, RECOVERY, publicKey, sign(key, MessageHashUtils.toEthSignedMessageHash(message)));
        return id;
    }

    function voucher(QuotaPay pay, uint256 key, uint256 nonce, uint64 sizeByte) internal view returns (bytes memory) {
        return sign(key, pay.voucherHash(nonce, sizeByte, market.seller()));
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function digestOf(bytes32 structHash, address verifier) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("MEMO"),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    /// @dev The address of what this contract creates after `skip` other creations.
    function next(uint256 skip) internal view returns (address) {
        return vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + skip);
    }
}
