import Core
import Testing

@testable import Cryptography

@Suite struct SealTests {
    // Test cases 13, 14 and 16 of the paper that defines GCM.
    @Test(arguments: [
        (
            String(repeating: "00", count: 32), String(repeating: "00", count: 12), "", "",
            "530f8afbc74536b9a963b4f1c4cb738b"
        ),
        (
            String(repeating: "00", count: 32), String(repeating: "00", count: 12), String(repeating: "00", count: 16),
            "", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
        ),
        (
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
        ),
    ]) func publishedVectors(key: String, nonce: String, plain: String, associated: String, sealed: String) throws {
        let result = try AES256GCM.seal(
            bytes(plain), key: secret(key), nonce: bytes(nonce), associatedData: bytes(associated))
        #expect(result == bytes(nonce) + bytes(sealed))
        let opened = try AES256GCM.open(result, key: secret(key), associatedData: bytes(associated))
        #expect(opened.withUnsafeBytes { Array($0) } == bytes(plain))
    }

    @Test func everyChangeIsNoticed() throws {
        let key = try SecureRandom.secret(32)
        let place = Array("table/key/field".utf8)
        let sealed = try AES256GCM.seal(Array("a secret".utf8), key: key, associatedData: place)
        for bit in 0..<(sealed.count * 8) {
            var changed = sealed
            changed[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: CryptographyError(.sealBroken, "")) {
                try AES256GCM.open(changed, key: key, associatedData: place)
            }
        }
        for count in 0..<sealed.count {
            #expect(throws: CryptographyError(.sealBroken, "")) {
                try AES256GCM.open(Array(sealed[..<count]), key: key, associatedData: place)
            }
        }
        #expect(throws: CryptographyError(.sealBroken, "")) {
            try AES256GCM.open(sealed, key: key, associatedData: place + [0])
        }
        #expect(throws: CryptographyError(.sealBroken, "")) {
            try AES256GCM.open(sealed, key: try SecureRandom.secret(32), associatedData: place)
        }
        #expect(throws: CryptographyError(.weakKey, "")) {
            try AES256GCM.seal([1], key: try SecureRandom.secret(16), associatedData: place)
        }
    }

    @Test func noncesAreFresh() throws {
        let key = try SecureRandom.secret(32)
        let nonces = try (0..<100).map { _ in
            Array(try AES256GCM.seal([], key: key, associatedData: [])[..<12])
        }
        #expect(Set(nonces).count == 100)
        let plain = SecretBytes(copying: [1, 2, 3])
        let sealed = try AES256GCM.seal(plain, key: key, associatedData: [])
        #expect(sealed.count == 3 + AES256GCM.overhead)
    }

    // RFC 5869, test cases 1 to 3.
    @Test(arguments: [
        (
            String(repeating: "0b", count: 22), "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        ),
        (
            Hexadecimal.encode(0x00...0x4f), Hexadecimal.encode(0x60...0xaf), Hexadecimal.encode(0xb0...0xff),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                + "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
        (
            String(repeating: "0b", count: 22), "", "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        ),
    ]) func hkdfOfRFC5869(key: String, salt: String, info: String, derived: String) throws {
        let expected = bytes(derived)
        let result = try HKDF256.derive(
            key: secret(key), salt: bytes(salt), info: bytes(info), length: expected.count)
        #expect(result.withUnsafeBytes { Array($0) } == expected)
    }

    @Test func hkdfRefusesLengthsThatItDoesNotHave() {
        for length in [0, -1, 255 * 32 + 1] {
            #expect(throws: CryptographyError.self) {
                try HKDF256.derive(key: SecretBytes(copying: [1]), info: "x", length: length)
            }
        }
    }
}
