// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Account, AccountState, Contact, Role} from "../types/RoleTypes.sol";

/// @title The book of registered accounts
/// @notice Accounts are only ever added; an index never changes its owner.
library Accounts {
    /// @notice One URL and a few multiaddrs.
    uint256 internal constant MAX_ENDPOINT_BYTES = 512;
    uint256 internal constant MAX_LABEL_BYTES = 64;
    uint256 internal constant MAX_PAGE = 100;

    struct Book {
        Account[] all;
        mapping(address owner => uint32 index) indexOf;
        mapping(Role role => uint32[] indexes) byRole;
    }

    error AlreadyRegistered(address account, Role role);
    error NotRegistered(address account);
    error EndpointMissing();
    error EndpointTooLong(uint256 lengthBytes, uint256 limit);
    error LabelTooLong(uint256 lengthBytes, uint256 limit);
    error PageTooLarge(uint256 asked, uint256 limit);

    /// @notice Adds an account with its one role; the caller fills in what the role needs.
    function add(Book storage self, address owner, Role role, uint32 group) internal returns (Account storage added) {
        uint32 known = self.indexOf[owner];
        if (known != 0) revert AlreadyRegistered(owner, self.all[known - 1].role);
        added = self.all.push();
        uint32 index = uint32(self.all.length);
        added.owner = owner;
        added.index = index;
        added.group = group;
        added.role = role;
        added.state = AccountState.Registered;
        added.registeredAt = uint64(block.timestamp);
        self.indexOf[owner] = index;
        self.byRole[role].push(index);
    }

    /// @notice The account of `owner`; reverts where there is none.
    function get(Book storage self, address owner) internal view returns (Account storage) {
        uint32 index = self.indexOf[owner];
        if (index == 0) revert NotRegistered(owner);
        return self.all[index - 1];
    }

    /// @notice A page of the accounts of one role, in the order of registration.
    function page(Book storage self, Role role, uint256 offset, uint256 limit)
        internal
        view
        returns (Account[] memory found)
    {
        if (limit > MAX_PAGE) revert PageTooLarge(limit, MAX_PAGE);
        uint32[] storage indexes = self.byRole[role];
        uint256 total = indexes.length;
        uint256 from = offset < total ? offset : total;
        uint256 size = total - from < limit ? total - from : limit;
        found = new Account[](size);
        for (uint256 i = 0; i < size; ++i) {
            found[i] = self.all[indexes[from + i] - 1];
        }
    }

    /// @notice Refuses what no node could be reached by, and what would make lists unreadable.
    function checkContact(Contact calldata contact) internal pure {
        checkEndpoint(contact.endpoint);
        checkLabel(contact.operatorLabel);
        checkLabel(contact.region);
    }

    function checkEndpoint(string calldata endpoint) internal pure {
        uint256 length = bytes(endpoint).length;
        if (length == 0) revert EndpointMissing();
        if (length > MAX_ENDPOINT_BYTES) revert EndpointTooLong(length, MAX_ENDPOINT_BYTES);
    }

    function checkLabel(string calldata label) internal pure {
        uint256 length = bytes(label).length;
        if (length > MAX_LABEL_BYTES) revert LabelTooLong(length, MAX_LABEL_BYTES);
    }
}
