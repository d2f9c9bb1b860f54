// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @title When the chain was first seen in which epoch
/// @notice Blocks tell epochs, but not when a past block was made; a window that needs seconds asks here.
library EpochPins {
    struct Pin {
        uint64 time;
        uint64 epoch;
    }

    struct Pins {
        Pin[] all;
    }

    /// @notice Adds a pin where the epoch is newer than the last; says whether it did.
    function add(Pins storage self, uint64 time, uint64 epoch) internal returns (bool) {
        uint256 count = self.all.length;
        if (count != 0 && self.all[count - 1].epoch >= epoch) return false;
        self.all.push(Pin(time, epoch));
        return true;
    }

    /// @notice The newest epoch that is known to have begun by `time`; 0 where none is.
    function epochAt(Pins storage self, uint64 time) internal view returns (uint64) {
        uint256 low = 0;
        uint256 high = self.all.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (self.all[middle].time > time) high = middle;
            else low = middle + 1;
        }
        return low == 0 ? 0 : self.all[low - 1].epoch;
    }
}
