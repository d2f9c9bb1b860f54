// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Test} from "./Test.sol";

/// @notice Measures what one call costs as a transaction. Worst-case state is built in setUp, which is a transaction of its
/// own, so that every slot is cold; and each test measures one call.
abstract contract GasMeter is Test {
    /// @notice A third of a transaction of 16 million gas.
    uint256 internal constant MOST = uint256(16_000_000) / 3;

    /// @notice What a transaction costs before it does anything, and each byte of its data (EIP-2028, EIP-7623).
    uint256 private constant BASE_GAS = 21_000;
    uint256 private constant TOKENS_PER_BYTE = 4;
    uint256 private constant TOKEN_GAS = 4;
    uint256 private constant FLOOR_TOKEN_GAS = 10;

    function measure(string memory name, address caller, address target, bytes memory data) internal {
        uint256 tokens = _tokensOf(data);
        vm.prank(caller);
        uint256 before = gasleft();
        (bool done,) = target.call(data);
        uint256 used = before - gasleft() + TOKEN_GAS * tokens;
        check(done, name);
        if (used < FLOOR_TOKEN_GAS * tokens) used = FLOOR_TOKEN_GAS * tokens;
        vm.snapshotValue("worst-case", name, BASE_GAS + used);
        check(BASE_GAS + used < MOST, string.concat(name, " costs more than a third of a transaction"));
    }

    function _tokensOf(bytes memory data) private pure returns (uint256 tokens) {
        for (uint256 i = 0; i < data.length; ++i) {
            tokens += data[i] == 0 ? 1 : TOKENS_PER_BYTE;
        }
    }
}
