// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice The cheat codes of forge that these tests use.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    struct Wallet {
        address addr;
        uint256 publicKeyX;
        uint256 publicKeyY;
        uint256 privateKey;
    }

    function addr(uint256 privateKey) external pure returns (address);
    function assume(bool condition) external pure;
    function chainId(uint256 newChainId) external;
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function createWallet(uint256 privateKey) external returns (Wallet memory);
    function etch(address target, bytes calldata code) external;
    function expectEmit(address emitter) external;
    function expectRevert() external;
    function expectRevert(bytes calldata revertData) external;
    function expectRevert(bytes4 revertData) external;
    function getBlockNumber() external view returns (uint256);
    function getBlockTimestamp() external view returns (uint256);
    function getNonce(address account) external view returns (uint64);
    function getRecordedLogs() external returns (Log[] memory);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonStringArray(string calldata json, string calldata key) external pure returns (string[] memory);
    function prank(address sender) external;
    function readFile(string calldata path) external view returns (string memory);
    function recordLogs() external;
    function roll(uint256 blockNumber) external;
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
    function toString(uint256 value) external pure returns (string memory);
    function warp(uint256 timestamp) external;
}

/// @notice What every test contract has: cheat codes, and comparisons that show both sides.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice What the fuzzer of invariants may call, in forge's own layout.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    error NotEqualUint(string claim, uint256 actual, uint256 expected);
    error NotEqualAddress(string claim, address actual, address expected);
    error NotEqualBytes32(string claim, bytes32 actual, bytes32 expected);
    error NotEqualText(string claim, string actual, string expected);
    error NotTrue(string claim);

    function check(bool holds, string memory claim) internal pure {
        if (!holds) revert NotTrue(claim);
    }

    function equal(uint256 actual, uint256 expected, string memory claim) internal pure {
        if (actual != expected) revert NotEqualUint(claim, actual, expected);
    }

    function equal(address actual, address expected, string memory claim) internal pure {
        if (actual != expected) revert NotEqualAddress(claim, actual, expected);
    }

    function equal(bytes32 actual, bytes32 expected, string memory claim) internal pure {
        if (actual != expected) revert NotEqualBytes32(claim, actual, expected);
    }

    function equal(string memory actual, string memory expected, string memory claim) internal pure {
        if (keccak256(bytes(actual)) != keccak256(bytes(expected))) revert NotEqualText(claim, actual, expected);
    }

    /// @notice Moves chain time and height, which locks need both. It asks for them, since the optimizer takes what
    /// `block` says for the same throughout a call.
    function passTime(uint256 waitSeconds, uint256 waitBlocks) internal {
        vm.warp(vm.getBlockTimestamp() + waitSeconds);
        vm.roll(vm.getBlockNumber() + waitBlocks);
    }
}
