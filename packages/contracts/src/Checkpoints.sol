// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {AccountDid} from "./AccountDid.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {DidRecord} from "./libraries/DidRecord.sol";
import {DidSignatures} from "./libraries/DidSignatures.sol";
import {DidText} from "./libraries/DidText.sol";
import {MethodKeys} from "./libraries/MethodKeys.sol";
import {Checkpoint} from "./types/CheckpointTypes.sol";
import {Verification} from "./types/DidTypes.sol";
import {Account, AccountState, Role} from "./types/RoleTypes.sol";

/// @title The last state of each log that its writer has left on the chain
/// @notice A slot per DID and writer: a User that writes for a DID cannot touch what the DID's own keys have written,
/// and an owner decides which logs to believe (spec/checkpoint.md).
contract Checkpoints is EIP712 {
    /// @notice The placement of the largest code, 256 pieces, is smaller.
    uint256 public constant MAX_PLACEMENT_BYTES = 20_480;

    bytes32 private constant CHECKPOINT =
        keccak256("Checkpoint(string did,address writer,uint64 seq,bytes32 hash,bytes32 placementHash)");

    AccountDid public immutable ACCOUNT_DID;
    IAccounts public immutable ROLES;

    mapping(bytes32 didKey => mapping(address writer => Checkpoint checkpoint)) private _slots;

    event Checkpointed(string indexed did, address indexed writer, uint64 seq, bytes32 hash, bytes placement);

    error NotServing(address account, Role role, AccountState state);
    error NotNewer(string did, address writer, uint64 seq, uint64 last);
    error PlacementTooLong(uint256 lengthBytes, uint256 limit);
    error NotSignedBy(address signer);
    error NotAuthentication(string did, uint256 keyIndex);

    /// @param accountDid knows the keys of DIDs
    /// @param roles knows the active Users
    constructor(AccountDid accountDid, IAccounts roles) EIP712("MEMO", "1") {
        ACCOUNT_DID = accountDid;
        ROLES = roles;
    }

    /// @notice Writes the checkpoint of the caller's log for a DID; the caller is an active User.
    function write(string calldata did, uint64 seq, bytes32 hash, bytes calldata placement) external {
        Account memory account = ROLES.getAccount(msg.sender);
        if (account.role != Role.User || account.state != AccountState.Active) {
            revert NotServing(msg.sender, account.role, account.state);
        }
        _requireLiving(did);
        _write(did, msg.sender, seq, hash, placement);
    }

    /// @notice Writes the checkpoint of the log of one of the DID's own keys, which signed it; anyone relays. Key 0 is the
    /// master key, key n must be in authentication.
    function writeSigned(
        string calldata did,
        uint256 keyIndex,
        uint64 seq,
        bytes32 hash,
        bytes calldata placement,
        bytes calldata signature
    ) external {
        address writer = _keyOf(did, keyIndex);
        bytes32 structHash =
            keccak256(abi.encode(CHECKPOINT, keccak256(bytes(did)), writer, seq, hash, keccak256(placement)));
        if (!DidSignatures.isValid(writer, _hashTypedDataV4(structHash), signature)) revert NotSignedBy(writer);
        _write(did, writer, seq, hash, placement);
    }

    /// @notice The last checkpoint of one writer's log of a DID.
    function getCheckpoint(string calldata did, address writer) external view returns (Checkpoint memory) {
        return _slots[DidText.keyOf(did)][writer];
    }

    function _write(string calldata did, address writer, uint64 seq, bytes32 hash, bytes calldata placement) private {
        if (placement.length > MAX_PLACEMENT_BYTES) revert PlacementTooLong(placement.length, MAX_PLACEMENT_BYTES);
        string memory id = DidText.canonical(did);
        Checkpoint storage slot = _slots[keccak256(bytes(id))][writer];
        if (seq <= slot.seq) revert NotNewer(id, writer, seq, slot.seq);
        slot.hash = hash;
        slot.seq = seq;
        slot.block_ = uint64(block.number);
        emit Checkpointed(id, writer, seq, hash, placement);
    }

    function _keyOf(string calldata did, uint256 keyIndex) private view returns (address) {
        address master = _requireLiving(did);
        if (keyIndex == 0) return master;
        Verification memory method = ACCOUNT_DID.getVeri(did, keyIndex);
        string memory url = string.concat("did:memo:", DidText.canonical(did), "#key-", Strings.toString(keyIndex));
        if (method.deactivated || !ACCOUNT_DID.inAuth(did, url)) revert NotAuthentication(did, keyIndex);
        return MethodKeys.signerOf(method.methodType, method.pubKeyData, method.pubKeyPoint);
    }

    function _requireLiving(string calldata did) private view returns (address master) {
        bool deactivated;
        (master, deactivated) = ACCOUNT_DID.data(did);
        if (master == address(0)) revert DidRecord.DidUnknown(did);
        if (deactivated) revert DidRecord.DidDeactivated(did);
    }
}
