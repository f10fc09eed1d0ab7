import Testing

@testable import Policy

@Suite struct GlobTests {
    private func glob(_ text: String, ignoringCase: Bool = false, emptySegments: Bool = false) throws -> PathGlob {
        try PathGlob(text, ignoringCase: ignoringCase, emptySegments: emptySegments)
    }

    /// By definition: tries everything.
    private func reference(_ pattern: [String], _ path: [String]) -> Bool {
        guard let first = pattern.first else { return path.isEmpty }
        if first == "**" {
            return (0...path.count).contains { reference(Array(pattern.dropFirst()), Array(path.dropFirst($0))) }
        }
        guard let segment = path.first else { return false }
        return run(Array(first), Array(segment)) && reference(Array(pattern.dropFirst()), Array(path.dropFirst()))
    }

    private func run(_ pattern: [Character], _ text: [Character]) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == "*" {
            return (0...text.count).contains { run(Array(pattern.dropFirst()), Array(text.dropFirst($0))) }
        }
        return text.first == first && run(Array(pattern.dropFirst()), Array(text.dropFirst()))
    }

    private func generated(_ random: inout Seeded, wildcards: Bool) -> [String] {
        (0..<Int.random(in: 0...4, using: &random)).map { _ in
            if wildcards, Int.random(in: 0..<3, using: &random) == 0 { return "**" }
            let characters = wildcards ? ["a", "b", "*"] : ["a", "b"]
            let parts = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                characters.randomElement(using: &random) ?? "a"
            }
            let text = parts.joined()
            return text.contains("**") ? "a*" : text
        }
    }

    @Test func theMatcherAgreesWithANaiveOne() throws {
        var random = Seeded(1)
        for _ in 0..<20000 {
            let pattern = generated(&random, wildcards: true)
            let path = generated(&random, wildcards: false)
            let bytes = Array(path.map { "/" + $0 }.joined().utf8)
            let compiled = try glob("/" + pattern.joined(separator: "/"))
            #expect(compiled.takes(bytes) == reference(pattern, path), "\(pattern) \(path)")
        }
    }

    @Test func coverageAndOverlapAreSound() throws {
        var random = Seeded(2)
        for _ in 0..<3000 {
            let left = try glob("/" + generated(&random, wildcards: true).joined(separator: "/"))
            let right = try glob("/" + generated(&random, wildcards: true).joined(separator: "/"))
            let covers = left.covers(right)
            let overlaps = left.overlaps(right)
            #expect(left.covers(left) && (overlaps || !covers))
            for _ in 0..<8 {
                let path = Array(generated(&random, wildcards: false).map { "/" + $0 }.joined().utf8)
                if covers, right.takes(path) { #expect(left.takes(path), "\(left.text) \(right.text)") }
                if left.takes(path), right.takes(path) { #expect(overlaps) }
            }
        }
        #expect(try glob("/A/*", ignoringCase: true).covers(glob("/a/b")))
        #expect(try !glob("/a/*").covers(glob("/a/b", ignoringCase: true)))
        #expect(try glob("/**").covers(glob("/a/b", ignoringCase: true)))
    }

    @Test func theWorkStaysBounded() throws {
        let path = Array(("/" + String(repeating: "a", count: 4000) + String(repeating: "/a", count: 2000)).utf8)
        #expect(try !glob("/**/*a*a*a*a*b/**/a*a*b/**/*c").takes(path))
        #expect(try glob("/**/a*a*a/**/*a*/**").takes(path))
    }

    @Test(arguments: [
        "", "admin", "/a//b", "/a/../b", "/./a", "/a**", "/a/b**c", "/***", "/a?b", "/a#b", "/a;b", "/a\\b", "/%61dmin",
        "/{id}", "/a\u{1}",
    ])
    func globsThatCannotBeMeantAreRefused(_ text: String) {
        #expect(throws: GlobProblem.self) { try glob(text) }
    }

    @Test func globsThatMayBeMeant() throws {
        for text in ["/", "/a/", "/**", "/a/**/b", "/100%", "/ä/*.html", "/a/*"] { _ = try glob(text) }
        _ = try glob("/a//b", emptySegments: true)
        #expect(try glob("/").takes([UInt8]()))
        #expect(try !glob("/a").takes([UInt8]()))
        let data = Array("/a\u{0}b".utf8)
        #expect(try glob("/*").takes(data) && !glob("/a/b").takes(data))
    }
}

extension PathGlob {
    fileprivate func takes(_ path: [UInt8]) -> Bool { matches(path.span) }
}
