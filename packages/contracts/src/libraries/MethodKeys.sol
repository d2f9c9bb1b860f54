// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// @title Keys of verification methods: which there are, and the address behind one
library MethodKeys {
    bytes32 internal constant SECP256K1 = keccak256("EcdsaSecp256k1VerificationKey2019");
    bytes32 internal constant RECOVERY = keccak256("EcdsaSecp256k1RecoveryMethod2020");
    bytes32 internal constant ED25519 = keccak256("Ed25519VerificationKey2018");

    uint256 private constant FIELD = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F;
    uint256 private constant SQRT_EXPONENT = (FIELD + 1) / 4;
    uint256 private constant COMPRESSED_BYTES = 33;
    uint256 private constant ADDRESS_BYTES = 20;
    uint256 private constant ED25519_BYTES = 32;
    address private constant MODEXP = address(0x05);

    error UnknownMethodType(string methodType);
    error InvalidPublicKey();
    error PointMismatch();
    error MasterCannotSign(string methodType);

    /// @notice The point of a key: of secp256k1 its affine coordinates, of all others zero.
    function pointOf(string memory methodType, bytes memory key) internal view returns (uint256[2] memory point) {
        bytes32 kind = keccak256(bytes(methodType));
        if (kind == SECP256K1) return decompress(key);
        if (kind == RECOVERY) {
            if (key.length != ADDRESS_BYTES || bytes20(key) == bytes20(0)) revert InvalidPublicKey();
        } else if (kind == ED25519) {
            if (key.length != ED25519_BYTES) revert InvalidPublicKey();
        } else {
            revert UnknownMethodType(methodType);
        }
    }

    /// @notice Checks that a given point is the key's own.
    function checkPoint(string memory methodType, bytes memory key, uint256[2] memory given) internal view {
        uint256[2] memory point = pointOf(methodType, key);
        if (point[0] != given[0] || point[1] != given[1]) revert PointMismatch();
    }

    /// @notice The account that signs with a key; only keys that the chain can check may be a master key.
    function signerOf(string memory methodType, bytes memory key, uint256[2] memory point)
        internal
        pure
        returns (address)
    {
        bytes32 kind = keccak256(bytes(methodType));
        if (kind == RECOVERY) return address(bytes20(key));
        if (kind != SECP256K1) revert MasterCannotSign(methodType);
        return address(uint160(uint256(keccak256(abi.encodePacked(point[0], point[1])))));
    }

    /// @notice The point of a compressed key. The field's prime is 3 mod 4, so the root is one power.
    function decompress(bytes memory key) internal view returns (uint256[2] memory point) {
        if (key.length != COMPRESSED_BYTES) revert InvalidPublicKey();
        uint8 prefix = uint8(key[0]);
        if (prefix != 2 && prefix != 3) revert InvalidPublicKey();
        uint256 x;
        // The 32 bytes after the prefix; a copy of them would cost more than the check of the key.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            x := mload(add(key, 33))
        }
        if (x >= FIELD) revert InvalidPublicKey();
        uint256 square = addmod(mulmod(mulmod(x, x, FIELD), x, FIELD), 7, FIELD);
        uint256 y = _power(square, SQRT_EXPONENT);
        if (mulmod(y, y, FIELD) != square) revert InvalidPublicKey();
        if (y & 1 != prefix & 1) y = FIELD - y;
        return [x, y];
    }

    function _power(uint256 base, uint256 exponent) private view returns (uint256) {
        (bool ok, bytes memory result) =
            MODEXP.staticcall(abi.encode(uint256(32), uint256(32), uint256(32), base, exponent, FIELD));
        if (!ok || result.length != 32) revert InvalidPublicKey();
        return abi.decode(result, (uint256));
    }
}
