// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {EpochPins} from "./libraries/EpochPins.sol";
import {OrderLengths} from "./types/OrderTypes.sol";

/// @title Epochs, counted in blocks, and when their dispute windows have closed (spec/orders.md 4 and 9)
abstract contract EpochClock {
    using EpochPins for EpochPins.Pins;

    uint64 public immutable EPOCH_BLOCKS;

    /// @notice How long an epoch is for prices, which are per second.
    uint64 public immutable EPOCH_SECONDS;
    uint64 public immutable DISPUTE_BLOCKS;
    uint64 public immutable DISPUTE_SECONDS;

    EpochPins.Pins private _pins;

    event EpochPinned(uint64 indexed epoch, uint64 time);

    error LengthMissing();

    constructor(OrderLengths memory lengths) {
        if (lengths.epochBlocks == 0 || lengths.epochSeconds == 0) revert LengthMissing();
        EPOCH_BLOCKS = lengths.epochBlocks;
        EPOCH_SECONDS = lengths.epochSeconds;
        DISPUTE_BLOCKS = lengths.disputeBlocks;
        DISPUTE_SECONDS = lengths.disputeSeconds;
    }

    /// @notice Records that the epoch of now has begun by now. Every change of an order does it as well.
    function pinEpoch() public {
        uint64 epoch = currentEpoch();
        if (_pins.add(uint64(block.timestamp), epoch)) emit EpochPinned(epoch, uint64(block.timestamp));
    }

    function currentEpoch() public view returns (uint64) {
        return uint64(block.number / EPOCH_BLOCKS);
    }

    /// @notice All epochs before this one are beyond dispute: both the blocks and the seconds since they ended are over.
    function closedBefore() public view returns (uint64) {
        if (block.number < DISPUTE_BLOCKS || block.timestamp < DISPUTE_SECONDS) return 0;
        uint64 byBlocks = uint64((block.number - DISPUTE_BLOCKS) / EPOCH_BLOCKS);
        uint64 bySeconds = _pins.epochAt(uint64(block.timestamp - DISPUTE_SECONDS));
        return byBlocks < bySeconds ? byBlocks : bySeconds;
    }
}
