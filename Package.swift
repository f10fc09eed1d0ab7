// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// One room of the house with what it may import; `Tests/layering` holds every import line against the same table.
func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// The tests of a room, in the folder of its name below `Tests`.
func tests(of name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: (name == "Core" ? ["Core"] : [.byName(name: name), "Core"]) + dependencies,
        path: "Tests/\(name)",
        exclude: exclude, swiftSettings: settings)
}

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHPACK: Target.Dependency = .product(name: "NIOHPACK", package: "swift-nio-http2")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "gatehouse",
    products: [.executable(name: "gatehouse", targets: ["gatehouse"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
        .systemLibrary(name: "CFido2", pkgConfig: "libfido2", providers: [.apt(["libfido2-dev", "libcbor-dev"])]),
        .systemLibrary(name: "CQREncode", pkgConfig: "libqrencode", providers: [.apt(["libqrencode-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CCrypt", pkgConfig: "libcrypt", providers: [.apt(["libcrypt-dev"])]),
        .systemLibrary(name: "CLinux"),
        room("Core", ["CLinux"]),
        room("HTTPWire", ["Core", nioCore]),
        room("LMDB", ["CLMDB", "Core"]),
        room("Cryptography", ["COpenSSL", "CArgon2", "CCrypt", "Core"]),
        room("JOSE", ["Cryptography", "Core"]),
        room("Policy", ["Core"]),
        room("Accounts", ["LMDB", "Cryptography", "JOSE", "CFido2", "Core", log]),
        room("Outbound", ["CCurl", "Core", log]),
        room("Federation", ["JOSE", "Core", log]),
        room("Settings", ["Policy", "Core", .product(name: "Yams", package: "Yams")]),
        room("Proxy", ["HTTPWire", "Policy", "Core", nioCore, nioPosix, nioTLS, nioSSL, nioHTTP2, nioHPACK, log]),
        room(
            "Portal",
            [
                "Accounts", "Federation", "CQREncode", "CPNG", "Core", hummingbird, mustache, httpTypes, nioCore, log,
            ]),
        room(
            "App",
            [
                "Accounts", "Outbound", "Federation", "Settings", "Proxy", "Portal", "Policy", "JOSE", "Cryptography",
                "LMDB",
                "HTTPWire", "Core", nioCore, nioPosix, nioSSL, log,
            ]),
        .executableTarget(
            name: "gatehouse",
            dependencies: ["App", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: settings
        ),
        tests(of: "Core"),
        tests(
            of: "HTTPWire",
            [
                nioCore, .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]),
        tests(of: "LMDB", ["CLMDB"]),
        tests(of: "Cryptography", exclude: ["Vectors"]),
        tests(of: "JOSE", ["Cryptography"]),
        tests(of: "Policy"),
        tests(of: "Accounts", ["LMDB", "Cryptography", "JOSE", log]),
        tests(of: "App", ["Accounts", "Portal", "Proxy", "Settings", log]),
        tests(of: "Outbound", ["Accounts", log]),
        tests(of: "Federation", ["JOSE", "Cryptography", log]),
        tests(of: "Settings", ["Policy"], exclude: ["Golden"]),
        tests(
            of: "Portal", ["Accounts", "Federation", "JOSE", "Cryptography", "LMDB", log],
            exclude: ["return-addresses.txt"]),
        tests(
            of: "Proxy",
            [
                "HTTPWire", "Policy", nioCore, nioPosix, nioSSL, nioHTTP2, nioHPACK, log,
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            exclude: ["HTTP2Frames"]),
    ]
)
