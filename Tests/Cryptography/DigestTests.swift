import Core
import Testing

@testable import Cryptography

func bytes(_ hex: String) -> [UInt8] { Hexadecimal.decode(hex) ?? [] }
func secret(_ hex: String) -> SecretBytes { SecretBytes(copying: bytes(hex)) }

@Suite struct DigestTests {
    @Test func digestsOfFIPS180() {
        #expect(
            SHA256.digest("abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(SHA256.digest([]).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        let text = Array("abc".utf8)
        #expect(
            Hexadecimal.encode(HashFunction.sha384.digest(text))
                == "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7")
        #expect(
            Hexadecimal.encode(HashFunction.sha512.digest(text))
                == "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")
    }

    @Test func aHasherIsUsedAgain() {
        let hasher = SHA256.Hasher()
        for count in 0..<200 {
            let data = [UInt8](repeating: UInt8(count), count: count)
            #expect(hasher.digest(data) == SHA256.digest(data))
            #expect(hasher.digest(data[..<(count / 2)], data[(count / 2)...]) == SHA256.digest(data))
        }
    }

    @Test func aDigestIsAValue() throws {
        let digest = SHA256.digest("x")
        #expect(SHA256Digest(digest.bytes) == digest)
        #expect(SHA256Digest([1, 2, 3]) == nil)
        #expect(Set([digest, SHA256.digest("x"), SHA256.digest("y")]).count == 2)
        #expect(digest.withUnsafeBytes { $0.count } == 32)
    }

    @Test(arguments: [
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            String(repeating: "aa", count: 20), String(repeating: "dd", count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            String(repeating: "aa", count: 131),
            "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ]) func hmacOfRFC4231(key: String, message: String, code: String) throws {
        let (key, message) = (bytes(key), bytes(message))
        #expect(try HMAC.sign(hash: .sha256, key: key, message: message) == bytes(code))
        #expect(HMAC.verify(bytes(code), hash: .sha256, key: key, message: message))
        #expect(!HMAC.verify(Array(bytes(code).dropLast()), hash: .sha256, key: key, message: message))
        #expect(!HMAC.verify(bytes(code), hash: .sha384, key: key, message: message))
    }

    @Test func hmacSHA512OfRFC4231() throws {
        let (key, message) = (Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
        #expect(
            try HMAC.sign(hash: .sha512, key: key, message: message)
                == bytes(
                    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                        + "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"))
    }

    @Test func aSymmetricKeyAgreesWithHMAC() throws {
        let material = try SecureRandom.bytes(48)
        let key = try SymmetricKey(SecretBytes(copying: material))
        let message = Array("message".utf8)
        for hash in HashFunction.allCases {
            let code = try key.sign(message, hash: hash)
            #expect(try code == HMAC.sign(hash: hash, key: material, message: message))
            #expect(key.verify(code, of: message, hash: hash))
            #expect(!key.verify([UInt8](), of: message, hash: hash))
        }
        #expect(throws: CryptographyError(.weakKey, "")) { try SymmetricKey(SecretBytes(copying: [1, 2, 3])) }
    }

    @Test func anEmptyHMACKeyIsAKey() throws {
        let empty: [UInt8] = []
        #expect(
            try HMAC.sign(hash: .sha256, key: empty, message: empty)
                == bytes("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"))
    }

    @Test func comparisonInConstantTime() {
        #expect(constantTimeEquals([], []))
        #expect(constantTimeEquals([1, 2], [1, 2]))
        #expect(!constantTimeEquals([1, 2], [1, 3]))
        #expect(!constantTimeEquals([1, 2], [1, 2, 3]))
    }

    @Test func randomBytesDiffer() throws {
        #expect(try SecureRandom.bytes(0).isEmpty)
        #expect(try SecureRandom.bytes(-1).isEmpty)
        #expect(try SecureRandom.bytes(32) != SecureRandom.bytes(32))
        #expect(try SecureRandom.secret(32).count == 32)
    }

    @Test func aDigestThatIsNotedIsTakenAndElseNoted() {
        let hasher = SHA256.Hasher()
        let bytes = Array("a credential".utf8)
        let note = CredentialNote()
        let digest = hasher.digest(bytes.span, note)
        #expect(digest == SHA256.digest(bytes))
        #expect(note.sha256 != nil)
        // Whoever keeps the note says whose it is.
        let other = Array("another".utf8)
        #expect(hasher.digest(other.span, note) == digest)
        note.sha256 = nil
        #expect(hasher.digest(other.span, note) == SHA256.digest(other))
        #expect(hasher.digest(other.span, nil) == SHA256.digest(other))
    }
}
