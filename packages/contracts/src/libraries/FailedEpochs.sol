// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @title Which epochs a provider failed: one bit each, 256 to a word
library FailedEpochs {
    struct Book {
        mapping(address provider => mapping(uint256 word => uint256 bits)) wordOf;
    }

    function set(Book storage self, address provider, uint64 epoch, bool failed) internal {
        uint256 bit = 1 << (epoch % 256);
        uint256 bits = self.wordOf[provider][epoch / 256];
        self.wordOf[provider][epoch / 256] = failed ? bits | bit : bits & ~bit;
    }

    /// @notice How many of the epochs from `from` up to and without `to` were failed.
    function count(Book storage self, address provider, uint64 from, uint64 to) internal view returns (uint256 failed) {
        uint256 epoch = from;
        while (epoch < to) {
            uint256 word = epoch / 256;
            uint256 wordEnd = (word + 1) * 256;
            uint256 until = wordEnd < to ? wordEnd : to;
            uint256 bits = self.wordOf[provider][word] >> (epoch % 256);
            failed += _ones(bits & _mask(until - epoch));
            epoch = until;
        }
    }

    function _mask(uint256 bits) private pure returns (uint256) {
        return bits == 256 ? type(uint256).max : (1 << bits) - 1;
    }

    function _ones(uint256 bits) private pure returns (uint256 ones) {
        for (; bits != 0; bits &= bits - 1) {
            ++ones;
        }
    }
}
