import Core
import Foundation
import Testing

@testable import Cryptography

func secret(text: String) -> SecretBytes { SecretBytes(copying: Array(text.utf8)) }

/// A hash that somebody else's library made: one file a case.
struct PasswordVector: CustomTestStringConvertible, Sendable {
    let name: String
    let scheme: String
    let password: [UInt8]
    let hash: String
    var testDescription: String { name }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Vectors")

    static let all: [PasswordVector] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.sorted().compactMap { file in
            guard let text = try? String(contentsOf: folder.appending(path: file), encoding: .utf8) else { return nil }
            var fields: [String: String] = [:]
            for line in text.split(separator: "\n") {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard let name = parts.first else { continue }
                fields[String(name)] = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
            }
            guard let scheme = fields["scheme"], let hash = fields["hash"] else { return nil }
            return PasswordVector(name: file, scheme: scheme, password: bytes(fields["password"] ?? ""), hash: hash)
        }
    }()
}

@Suite struct PasswordHashTests {
    @Test func thereAreVectors() {
        #expect(PasswordVector.all.count >= 33)
        #expect(Set(PasswordVector.all.map(\.scheme)) == Set(PasswordHash.Scheme.allCases.map(\.rawValue)))
    }

    @Test(arguments: PasswordVector.all) func hashesOfOthersAreVerified(_ vector: PasswordVector) throws {
        let hash = try PasswordHash.parse(vector.hash)
        #expect(hash.scheme.rawValue == vector.scheme)
        #expect(try hash.verify(SecretBytes(copying: vector.password)))
        #expect(try !hash.verify(SecretBytes(copying: [UInt8(ascii: "x")] + vector.password)))
        #expect(hash.needsRehash() == (vector.name != "argon2id-ours.txt"))
        let again = try PasswordHash.parse(hash.text)
        #expect(again == hash && again.content == hash.content)
    }

    /// Whatever is cut off, changed or put in: a refusal or another hash, never a trap.
    @Test func damagedHashesNeverTrap() {
        for vector in PasswordVector.all {
            let text = Array(vector.hash.utf8)
            for index in text.indices {
                _ = try? PasswordHash.parse(String(decoding: text[..<index], as: UTF8.self))
                for byte in [UInt8(ascii: "$"), UInt8(ascii: "9"), UInt8(ascii: "z"), UInt8(ascii: ","), 0x20, 0xff] {
                    var changed = text
                    changed[index] = byte
                    _ = try? PasswordHash.parse(String(decoding: changed, as: UTF8.self))
                }
                var longer = text
                longer.insert(contentsOf: Array("99999999".utf8), at: index)
                _ = try? PasswordHash.parse(String(decoding: longer, as: UTF8.self))
            }
        }
    }

    @Test(arguments: [
        "$argon2id$v=19$m=1048576,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$of8lTOuGqA16ESo4fLPEGalgCFI1aWkFZ6fA2YFMbfA",
        "$argon2id$v=19$m=65536,t=4000000000,p=1$c29tZXNhbHRzb21lc2FsdA$of8lTOuGqA16ESo4fLPEGalgCFI1aWkFZ6fA2YFMbfA",
        "$argon2id$v=19$m=65536,t=1,p=255$c29tZXNhbHRzb21lc2FsdA$of8lTOuGqA16ESo4fLPEGalgCFI1aWkFZ6fA2YFMbfA",
        "$argon2id$v=19$m=8,t=1,p=8$c29tZXNhbHRzb21lc2FsdA$of8lTOuGqA16ESo4fLPEGalgCFI1aWkFZ6fA2YFMbfA",
        "$2b$31$CGQJPF9t5zC8cOmeDulvHusMhbMWytyDvu1sN8Py2L4Fqhv30dMsa",
        "$scrypt$ln=24,r=8,p=1$npMyRuhdixHi/J+z9t67dw$TKfctw/1jqXf7rzfrgl+TCnmGNauqDDfJzBx+3f887k",
        "$scrypt$ln=15,r=8,p=200$npMyRuhdixHi/J+z9t67dw$TKfctw/1jqXf7rzfrgl+TCnmGNauqDDfJzBx+3f887k",
        "scrypt$16777216$salt$1024$200$QDjE9QVlSbY+MD4QVbBFq5rOr+8oMk+VWZ8B5Ot72wk=",
        "$7$LU..../....salt$O.b4AG7VPxf/9faNoeQMLB4dH8epMJszjSWRFRN5N2C",
        "$y$jJT$saltsaltsaltsalt$TG0j4ztp7XikOFbl3oG2Aa1GQ38OvMjd0gigg1D5Qo2",
        "pbkdf2_sha256$4000000000$saltsaltsalt$By3CyozCxuFKjzlRa1QJjKoozMpX98iR7ua5agkHJ8E=",
        "$5$rounds=999999999$jpvjZD/ByxT/OvtJ$sRa0yGTClIpcWVVlmxJUq3jqFTpY1qW251Z.WxW2ly5",
    ]) func whatWouldExhaustTheMachineIsRefused(_ text: String) {
        #expect(throws: PasswordHashRefusal(.tooCostly, "")) { try PasswordHash.parse(text) }
    }

    @Test(arguments: [
        "{SHA}qvTGHdzF6KLavt4PO0gs2a6pQ00=", "{SSHA}abcd", "$1$salt$qJH7.N4xYta3aEG/dfqo/0", "rl.3StKT.4T8M",
        "md5$salt$0123", "sha1$salt$0123", "{MD5}XUFAKrxLKna5cZ2REBfFkg==",
        "$2x$06$CGQJPF9t5zC8cOmeDulvHusMhbMWytyDvu1sN8Py2L4Fqhv30dMsa",
        "pbkdf2_sha256$1$saltsaltsalt$By3CyozCxuFKjzlRa1QJjKoozMpX98iR7ua5agkHJ8E=",
    ]) func weakHashesAreRefusedWithTheReason(_ text: String) {
        #expect(throws: PasswordHashRefusal(.tooWeak, "")) { try PasswordHash.parse(text) }
    }

    @Test(arguments: [
        "", "plain text", "geheim123", "!", "*", "$", "$$$", "$9$x$y", "$argon2d$v=19$m=8,t=1,p=1$x$y", "ü",
    ]) func whatIsNoHashIsRefused(_ text: String) {
        #expect(throws: PasswordHashRefusal(.unknown, "")) { try PasswordHash.parse(text) }
    }

    @Test func aRefusalHoldsNoPartOfTheHash() {
        for text in ["{SHA}qvTGHdzF6KLavt4PO0gs2a6pQ00=", "$6$SALTSALT$SECRETSECRET", "hunter2hunter2"] {
            do throws(PasswordHashRefusal) {
                _ = try PasswordHash.parse(text)
                Issue.record("accepted")
            } catch {
                #expect(!error.message.contains("qvTG") && !error.message.contains("SALT"))
                #expect(!error.message.contains("SECRET") && !error.message.contains("hunter2"))
            }
        }
    }

    @Test func ownHashes() throws {
        let parameters = Argon2Parameters(memoryKiB: 64, passes: 1, lanes: 1)
        let one = try PasswordHash.make(secret(text: "x"), parameters: parameters)
        let two = try PasswordHash.make(secret(text: "x"), parameters: parameters)
        #expect(one.text.hasPrefix("$argon2id$v=19$m=64,t=1,p=1$"))
        #expect(one.text != two.text)
        #expect(try one.verify(secret(text: "x")) && two.verify(secret(text: "x")))
        #expect(try !one.verify(secret(text: "")) && !one.verify(secret(text: "X")))
        #expect(try PasswordHash.parse(one.text) == one)
        #expect(!one.needsRehash(parameters) && one.needsRehash())
        #expect(Argon2Parameters.standard == Argon2Parameters(memoryKiB: 19_456, passes: 2, lanes: 1))
    }

    /// bcrypt looks at 72 bytes, and what stands behind a zero byte is nobody's password.
    @Test func bcryptHasItsEdges() throws {
        let vector = try #require(PasswordVector.all.first { $0.name == "bcrypt-longer-than-72-bytes.txt" })
        let hash = try PasswordHash.parse(vector.hash)
        #expect(hash.significantBytes == 72)
        #expect(try hash.verify(SecretBytes(copying: vector.password.prefix(72))))
        #expect(try hash.verify(SecretBytes(copying: vector.password.prefix(72) + Array("other".utf8))))
        #expect(try !hash.verify(SecretBytes(copying: vector.password.prefix(71))))
        #expect(try !hash.verify(SecretBytes(copying: vector.password.prefix(20) + [0] + vector.password.prefix(20))))
        let long = SecretBytes(copying: [UInt8](repeating: 0x61, count: 1024))
        let sha = try PasswordHash.parse("$6$" + vector.hash.suffix(16) + "$" + String(repeating: "a", count: 86))
        #expect(try !sha.verify(long))
    }

    /// RFC 6070 (with SHA-1), RFC 7914 sections 11 and 12.
    @Test func derivationsOfTheRFCs() throws {
        func derive(
            _ function: DerivedHash.Function, _ password: String, _ salt: String, _ count: Int
        ) throws -> String {
            let hash = try secret(text: password).withUnsafeBytes { password throws(CryptographyError) in
                try DerivedHash.derive(function, password, salt: Array(salt.utf8), count: count)
            }
            return Hexadecimal.encode(hash)
        }
        #expect(
            try derive(.pbkdf2(.sha1, iterations: 1), "password", "salt", 20)
                == "0c60c80f961f0e71f3a9b524af6012062fe037a6")
        #expect(
            try derive(.pbkdf2(.sha1, iterations: 4096), "password", "salt", 20)
                == "4b007901b765489abead49d926f721d065a429c1")
        #expect(
            try derive(
                .pbkdf2(.sha1, iterations: 4096), "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt",
                25)
                == "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038")
        #expect(
            try derive(.pbkdf2(.sha256, iterations: 1), "passwd", "salt", 64)
                == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
                + "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783")
        #expect(
            try derive(.scrypt(cost: 16, blockSize: 1, lanes: 1), "", "", 64)
                == "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                + "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906")
        #expect(
            try derive(.scrypt(cost: 1024, blockSize: 8, lanes: 16), "password", "NaCl", 64)
                == "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")
    }
}
