// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @title The one address from which a client finds all others
/// @notice Anyone reads; only governance writes (spec/roles.md 10).
contract Registry is AccessManaged {
    struct Entry {
        bytes32 name;
        uint8 instanceId;
        address target;
    }

    /// @notice Marks this contract, so that a client can tell it from any other.
    bytes32 public constant KIND = keccak256("memo.Registry");

    /// @notice Names are few; the bound keeps `entries` readable in one call.
    uint256 public constant MAX_ENTRIES = 128;

    /// @notice The version of the set of contracts listed here; clients refuse one they do not know.
    uint32 public version;

    /// @notice The original's numeric ids: 4 ERC20, 30 AccountDid, 33 DidProxy and so on.
    mapping(uint8 instanceId => address target) public instances;

    /// @notice The address under a name; zero where there is none.
    mapping(bytes32 name => address target) public addressOf;

    bytes32[] private _names;

    event EntrySet(bytes32 indexed name, address indexed target, address previous);
    event InstanceSet(uint8 indexed instanceId, address indexed target, address previous);
    event VersionSet(uint32 version, uint32 previous);

    error NameMissing();
    error TooManyEntries(uint256 limit);

    /// @param authority the AccessManager that decides who writes
    /// @param version_ the version of the contracts
    /// @param initial what is known at deployment; `instanceId` 0 means that there is no numeric id
    constructor(address authority, uint32 version_, Entry[] memory initial) AccessManaged(authority) {
        _setVersion(version_);
        for (uint256 i = 0; i < initial.length; ++i) {
            _set(initial[i].name, initial[i].target);
            if (initial[i].instanceId != 0) _setInstance(initial[i].instanceId, initial[i].target);
        }
    }

    function set(bytes32 name, address target) external restricted {
        _set(name, target);
    }

    function setInstance(uint8 instanceId, address target) external restricted {
        _setInstance(instanceId, target);
    }

    function setVersion(uint32 version_) external restricted {
        _setVersion(version_);
    }

    /// @notice All names with their addresses, in the order in which they were first written.
    function entries() external view returns (bytes32[] memory names, address[] memory targets) {
        names = _names;
        targets = new address[](names.length);
        for (uint256 i = 0; i < names.length; ++i) {
            targets[i] = addressOf[names[i]];
        }
    }

    function _set(bytes32 name, address target) private {
        if (name == bytes32(0)) revert NameMissing();
        address previous = addressOf[name];
        if (previous == address(0) && !_isListed(name)) {
            if (_names.length == MAX_ENTRIES) revert TooManyEntries(MAX_ENTRIES);
            _names.push(name);
        }
        addressOf[name] = target;
        emit EntrySet(name, target, previous);
    }

    function _setInstance(uint8 instanceId, address target) private {
        emit InstanceSet(instanceId, target, instances[instanceId]);
        instances[instanceId] = target;
    }

    function _setVersion(uint32 version_) private {
        emit VersionSet(version_, version);
        version = version_;
    }

    function _isListed(bytes32 name) private view returns (bool) {
        for (uint256 i = 0; i < _names.length; ++i) {
            if (_names[i] == name) return true;
        }
        return false;
    }
}
