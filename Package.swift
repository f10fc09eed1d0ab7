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

func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name)] + dependencies,
        path: "Tests/\(name)",
        exclude: ["Golden", "Vectors"].filter { _ in false },
        swiftSettings: settings
    )
}

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "gatehouse",
    products: [.executable(name: "gatehouse", targets: ["gatehouse"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        room("Core", []),
        room("HTTPWire", ["Core", nioCore]),
        room("LMDB", ["CLMDB", "Core"]),
        room("Cryptography", ["COpenSSL", "Core"]),
        room("JOSE", ["Cryptography", "Core"]),
        room("Policy", ["Core"]),
        room("Accounts", ["LMDB", "Cryptography", "JOSE", "Core", log]),
        room("Outbound", ["CCurl", "Core", log]),
        room("Federation", ["JOSE", "Cryptography", "Core", log]),
        room("Settings", ["Policy", "Core", .product(name: "Yams", package: "Yams")]),
        room("Proxy", ["HTTPWire", "Policy", "Core", nioCore, nioPosix, log]),
        room(
            "App",
            [
                "Accounts", "Outbound", "Federation", "Settings", "Proxy", "Policy", "JOSE", "Cryptography", "LMDB",
                "HTTPWire", "Core", nioCore, nioPosix, log,
            ]),
        .executableTarget(
            name: "gatehouse",
            dependencies: ["App", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: settings
        ),
    ]
)
