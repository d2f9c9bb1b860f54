// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {AccountDid} from "../../../src/AccountDid.sol";
import {DidProxy} from "../../../src/DidProxy.sol";
import {PublicKey} from "../../../src/types/DidTypes.sol";
import {Test} from "./Test.sol";

/// @notice The DID contracts at the address of spec/vectors/did.json, and its operations.
abstract contract DidVectors is Test {
    struct Operation {
        string name;
        string methodType;
        bytes publicKey;
        string url;
        uint256 index;
        uint256 expiration;
    }

    string internal json;
    string internal did;
    address internal master;
    DidProxy internal proxy;
    AccountDid internal accountDid;

    function setUp() public virtual {
        json = vm.readFile("../../spec/vectors/did.json");
        did = vm.parseJsonString(json, ".did");
        master = vm.parseJsonAddress(json, ".masterAddress");
        vm.chainId(vm.parseJsonUint(json, ".domain.chainId"));
        proxy = DidProxy(vm.parseJsonAddress(json, ".domain.verifyingContract"));
        accountDid = new AccountDid(address(proxy));
        vm.etch(address(proxy), address(new DidProxy(accountDid, address(this))).code);
    }

    function count() internal view returns (uint256) {
        return vm.parseJsonUint(json, ".operationCount");
    }

    function legacy(uint256 nonce) internal view returns (bytes memory) {
        return vm.parseJsonBytes(json, _path(nonce, "signature"));
    }

    function typed(uint256 nonce) internal view returns (bytes memory) {
        return vm.parseJsonBytes(json, _path(nonce, "typedSignature"));
    }

    function read(uint256 nonce) internal view returns (Operation memory) {
        string memory key = vm.parseJsonString(json, _path(nonce, "publicKey"));
        return Operation({
            name: vm.parseJsonString(json, _path(nonce, "operation")),
            methodType: vm.parseJsonString(json, _path(nonce, "methodType")),
            publicKey: bytes(key).length == 0 ? bytes("") : vm.parseJsonBytes(json, _path(nonce, "publicKey")),
            url: vm.parseJsonString(json, _path(nonce, "url")),
            index: vm.parseJsonUint(json, _path(nonce, "index")),
            expiration: vm.parseJsonUint(json, _path(nonce, "expiration"))
        });
    }

    /// @notice Sends operation `nonce` of the vectors; anyone relays.
    function send(uint256 nonce, bytes memory signature) internal {
        Operation memory op = read(nonce);
        vm.prank(address(0x4e1a7));
        (bool done, bytes memory reason) = address(proxy).call(_encode(op, signature));
        if (!done) {
            assembly ("memory-safe") {
                revert(add(reason, 32), mload(reason))
            }
        }
    }

    function method(string memory methodType, bytes memory key) internal view returns (PublicKey memory) {
        return PublicKey(methodType, did, key, false);
    }

    function _encode(Operation memory op, bytes memory signature) private view returns (bytes memory) {
        bytes32 name = keccak256(bytes(op.name));
        if (name == keccak256("createDID")) {
            return abi.encodeCall(DidProxy.createDID, (did, op.methodType, op.publicKey, signature));
        }
        if (name == keccak256("addVerification")) {
            return abi.encodeCall(DidProxy.addVeri, (did, method(op.methodType, op.publicKey), signature));
        }
        if (name == keccak256("updateVerificationMethod")) {
            return abi.encodeCall(DidProxy.updateVeri, (did, op.index, op.methodType, op.publicKey, signature));
        }
        if (name == keccak256("deactivateVerification")) {
            return abi.encodeCall(DidProxy.deactivateVeri, (did, op.index, true, signature));
        }
        if (name == keccak256("addDelegation")) {
            return abi.encodeCall(DidProxy.addDelegation, (did, op.url, op.expiration, signature));
        }
        if (name == keccak256("deactivateDID")) return abi.encodeCall(DidProxy.deactivateDID, (did, true, signature));
        return abi.encodeWithSelector(_relationSelector(name), did, op.url, signature);
    }

    function _relationSelector(bytes32 name) private pure returns (bytes4) {
        if (name == keccak256("addAuthentication")) return DidProxy.addAuth.selector;
        if (name == keccak256("removeAuthentication")) return DidProxy.removeAuth.selector;
        if (name == keccak256("addAssertion")) return DidProxy.addAssertion.selector;
        if (name == keccak256("removeAssertion")) return DidProxy.removeAssertion.selector;
        if (name == keccak256("addRecovery")) return DidProxy.addRecovery.selector;
        if (name == keccak256("removeRecovery")) return DidProxy.removeRecovery.selector;
        if (name == keccak256("removeDelegation")) return DidProxy.removeDelegation.selector;
        revert NotTrue("an operation of the vectors is known");
    }

    function _path(uint256 nonce, string memory field) private pure returns (string memory) {
        return string.concat(".operations[", vm.toString(nonce), "].", field);
    }
}
