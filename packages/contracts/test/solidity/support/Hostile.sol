// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @notice A token that, when it is moved, calls what it was aimed at, and remembers whether that went through.
contract HostileToken {
    address private _target;
    bytes private _data;
    bool private _inside;
    bool public succeeded;

    function aim(address target, bytes calldata data) external {
        _target = target;
        _data = data;
        succeeded = false;
    }

    function transfer(address, uint256) external returns (bool) {
        return _attack();
    }

    function transferFrom(address, address, uint256) external pure returns (bool) {
        return true;
    }

    function _attack() private returns (bool) {
        if (_inside || _target == address(0)) return true;
        _inside = true;
        (succeeded,) = _target.call(_data);
        _inside = false;
        return true;
    }
}

/// @notice A smart account whose answer to a signature depends on what it finds in it, and which tries to act meanwhile.
contract HostileWallet {
    address private _target;
    bytes private _data;

    function aim(address target, bytes calldata data) external {
        _target = target;
        _data = data;
    }

    function act(address target, bytes calldata data) external returns (bytes memory) {
        (bool done, bytes memory result) = target.call(data);
        require(done, "refused");
        return result;
    }

    function isValidSignature(bytes32, bytes calldata signature) external returns (bytes4) {
        if (keccak256(signature) == keccak256("attack")) {
            // In a static call this fails whatever it does; then nothing was changed.
            (bool done,) = _target.call(_data);
            return done ? bytes4(0) : this.isValidSignature.selector;
        }
        return keccak256(signature) == keccak256("yes") ? this.isValidSignature.selector : bytes4(0);
    }
}
