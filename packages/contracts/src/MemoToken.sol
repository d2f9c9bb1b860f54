// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The MEMO token: 18 decimals, a fixed supply, approval by signature
/// @notice One MEMO is 10^18 attomemo. Nobody can mint or freeze.
contract MemoToken is ERC20, ERC20Permit {
    /// @param foundation receives the whole supply
    /// @param supplyAtto the supply in attomemo
    constructor(address foundation, uint256 supplyAtto) ERC20("MEMO", "MEMO") ERC20Permit("MEMO") {
        _mint(foundation, supplyAtto);
    }
}
