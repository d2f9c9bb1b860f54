// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {DidText} from "../../src/libraries/DidText.sol";
import {Test} from "./support/Test.sol";

contract DidTextTest is Test {
    function test_every_character_in_every_place_is_judged_as_a_loop_judges_it() public view {
        for (uint256 value = 0; value < 256; ++value) {
            for (uint256 place = 0; place < 64; place += 7) {
                bytes memory text = bytes("0123456789abcdefABCDEF0000ffffFFFF99990000aaaaAAAA00000000000000");
                text[place] = bytes1(uint8(value));
                _compare(text);
            }
        }
    }

    function testFuzz_any_text_is_judged_as_a_loop_judges_it(bytes memory text) public view {
        _compare(text);
    }

    function testFuzz_any_two_words_are_judged_as_a_loop_judges_them(bytes32 left, bytes32 right) public view {
        _compare(abi.encodePacked(left, right));
    }

    /// @dev Outside call, so that a refusal can be caught.
    function canonical(string memory did) external pure returns (string memory) {
        return DidText.canonical(did);
    }

    function _compare(bytes memory text) private view {
        (bool valid, bytes memory expected) = _loop(text);
        try this.canonical(string(text)) returns (string memory actual) {
            check(valid, "taken");
            equal(actual, string(expected), "in lower case");
        } catch (bytes memory reason) {
            check(!valid, "refused");
            equal(
                keccak256(reason),
                keccak256(abi.encodeWithSelector(DidText.InvalidDid.selector, string(text))),
                "with the text"
            );
        }
    }

    function _loop(bytes memory text) private pure returns (bool, bytes memory lower) {
        if (text.length != 64) return (false, lower);
        lower = bytes.concat(text);
        for (uint256 i = 0; i < 64; ++i) {
            bytes1 character = text[i];
            if (character >= "A" && character <= "F") {
                lower[i] = bytes1(uint8(character) + 32);
            } else if (!(character >= "0" && character <= "9") && !(character >= "a" && character <= "f")) {
                return (false, lower);
            }
        }
        return (true, lower);
    }
}
