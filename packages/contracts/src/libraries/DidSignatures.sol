// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Signatures of DID operations, in every form that a signer may use
library DidSignatures {
    uint256 private constant SIGNATURE_BYTES = 65;
    uint8 private constant RECOVERY_OFFSET = 27;

    /// @notice Whether `signer` made the signature over `digest`: an own key, or an ERC-1271 contract.
    /// The original writes the last byte as 0 or 1, wallets as 27 or 28; both are taken.
    function isValid(address signer, bytes32 digest, bytes memory signature) internal view returns (bool) {
        if (signer == address(0)) return false;
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, _normalized(signature));
        if (failure == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return signer.code.length > 0 && SignatureChecker.isValidERC1271SignatureNow(signer, digest, signature);
    }

    function _normalized(bytes memory signature) private pure returns (bytes memory) {
        if (signature.length != SIGNATURE_BYTES || uint8(signature[64]) >= RECOVERY_OFFSET) return signature;
        bytes memory copy = bytes.concat(signature);
        copy[64] = bytes1(uint8(signature[64]) + RECOVERY_OFFSET);
        return copy;
    }
}
