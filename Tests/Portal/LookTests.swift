import Testing

@testable import Portal

@Suite struct LookTests {
    private func messages(_ templates: [String: String]) -> [String] {
        TemplateCheck.problems(in: templates).map { "\($0.template):\($0.line): \($0.message)" }
    }

    private func ours(_ name: String) throws -> String { try #require(Templates.all[name]) }

    @Test func ourOwnTemplatesAreGood() throws {
        #expect(messages(Templates.all) == [])
        for name in ["head", "keys"] { #expect(messages([name: try ours(name)]) == [], "\(name)") }
    }

    /// Such a page would never end: found before anything is rendered.
    @Test func whatIncludesItselfIsRefused() throws {
        let head = try ours("head")
        let foot = try ours("foot")
        #expect(messages(["foot": foot + "\n{{> foot}}"]).contains { $0.hasSuffix(": includes itself") })
        let pair = messages(["head": head + "{{> foot}}", "foot": String(repeating: "{{> head}}", count: 200) + foot])
        #expect(
            pair == ["foot:1: includes itself by way of head", "head:\(line(head)): includes itself by way of foot"])
        let large = String(repeating: "<p>Example</p>", count: 2000)
        let many = try ours("login") + String(repeating: "{{> foot}}", count: 50)
        let found = messages(["login": many, "foot": foot + large])
        #expect(found == ["login:1: is larger than 1 MiB with what it includes"])
    }

    private func line(_ text: String) -> Int { 1 + text.count { $0.isNewline } }

    /// Browsers leave out what stands before the address.
    @Test(arguments: ["{{notice}}", " {{notice}}", "\n\t{{notice}}", "\u{1}{{notice}}"])
    func whatAStrangerWroteIsNoAddress(_ address: String) throws {
        let text = try ours("foot") + "<a href=\"\(address)\">x</a>"
        #expect(messages(["foot": text]).contains { $0.contains("is not allowed") })
    }

    @Test func anotherWordAndAnotherOrderAreFine() throws {
        let login = try ours("login")
        #expect(
            messages(["login": login.replacing("<form ", with: "<p class=\"house\">Ask at the desk.</p>\n<form ")])
                == [])
        let turned = login.replacing(
            "<input type=\"hidden\" name=\"flow\" value=\"{{flow}}\">",
            with: "<input value='{{flow}}'\n  name=flow type=HIDDEN />")
        #expect(messages(["login": turned]) == [])
        #expect(messages(["foot": "<p>Example Corp</p>" + (try ours("foot"))]) == [])
    }

    /// Without its token a form is refused, and without its flow a sign-in leads nowhere: found at the start, not by
    /// the first person who tries.
    @Test(arguments: [
        ("login", "<input type=\"hidden\" name=\"flow\" value=\"{{flow}}\">"),
        ("logout", "<input type=\"hidden\" name=\"token\" value=\"{{token}}\">"),
        ("account", "<input type=\"hidden\" name=\"token\" value=\"{{token}}\">"),
        ("sessions", "<input type=\"hidden\" name=\"session\" value=\"{{id}}\">"),
        ("sessions", "<input type=\"hidden\" name=\"others\" value=\"yes\">"),
        ("keys", "<input type=\"hidden\" name=\"revoke\" value=\"{{id}}\">"),
        ("keys", "<code>{{secret}}</code>"), ("denied", "<code>{{request}}</code>"), ("login", "{{> error}}"),
        ("login", "{{> head}}"), ("login", "method=\"post\" "), ("security", "name=\"current\" "),
        ("head", "<link rel=\"stylesheet\" href=\"{{stylesheet}}\">"), ("head", "lang=\"{{t.language}}\""),
        ("error", "role=\"alert\" id=\"error\">{{error}}"),
    ]) func whatAFormNeedsCannotBeLost(_ name: String, _ part: String) throws {
        let text = try ours(name)
        try #require(text.contains(part))
        // Wherever it stands: one form of two that has lost its token is one too many.
        for range in text.ranges(of: part) {
            var changed = text
            changed.removeSubrange(range)
            let found = messages([name: changed])
            #expect(!found.isEmpty, "\(name) without \(part)")
        }
    }

    @Test func aFormMoreHasItsTokenToo() throws {
        let more = "<form method=\"post\" action=\"/.auth/account\"><input name=\"name\"></form>{{> foot}}"
        let account = try ours("account").replacing("{{> foot}}", with: more)
        #expect(messages(["account": account]).contains { $0.contains("token={{token}}") })
        let elsewhere = more.replacing("/.auth/account", with: "https://elsewhere.example/")
        #expect(!messages(["account": try ours("account").replacing("{{> foot}}", with: elsewhere)]).isEmpty)
    }

    @Test(arguments: [
        "{{{user}}}", "{{&user}}", "{{={ }=}}", "{{% CONTENT_TYPE:TEXT}}", "{{$block}}{{/block}}", "{{<head}}{{/head}}",
        "{{#user}}", "{{user", "{{nobody_knows}}", "{{t.nobody_wrote}}", "{{> elsewhere}}", "{{lower(user)}}", "{{}}",
        "<script>alert(1)</script>", "<SCRIPT src=x>", "<style>p{}</style>", "<p style='color:red'>", "<p onclick=x>",
        "<a href='javascript:x'>", "<a href=' java\nscript:x'>", "<img src='https://elsewhere.example/x.png'>",
        "<img src=//elsewhere.example/x.png>", "<link rel=stylesheet href=https://elsewhere.example/x.css>",
        "<iframe src='/x'>", "<base href='/x'>", "<meta http-equiv='refresh' content='0'>", "<svg/onload=x>",
        "<p class={{user}}>", "<p {{user}}>", "<p data-{{user}}='x'>", "<{{user}}>", "<a href='{{user}}'>",
        "<button formaction='https://elsewhere.example'>x</button>",
    ]) func whatIsDangerousIsRefused(_ part: String) throws {
        let denied = try ours("denied").replacing("{{> foot}}", with: part + "\n{{> foot}}")
        let found = messages(["denied": denied])
        #expect(!found.isEmpty, "\(part)")
    }

    @Test func aMistakeSaysWhereItIs() throws {
        #expect(
            messages(["logn": "x"]).first?.hasPrefix("logn:1: there is no such template; there are account, ") == true)
        let text = "{{> head}}\n\n{{usr}}\n{{> foot}}"
        #expect(messages(["signed_out": text]).first?.hasPrefix("signed_out:3: usr is not known here; ") == true)
        #expect(messages(["denied": String(repeating: "{{#user}}", count: 3)]).isEmpty == false)
        #expect(messages(["login": ""]).contains { $0.contains("has lost") || $0.contains("is missing") })
    }

    @Test func anOverrideIsShown() throws {
        let look = try Look(.init(name: "Herons & Co", templates: ["foot": "<p>{{site}}</p></main></body></html>"]))
        let page = look.renderer.render("signed_out", ["site": look.name, "t": Language.english.texts])
        #expect(String(decoding: page, as: UTF8.self).contains("<p>Herons &amp; Co</p>"))
    }

    // MARK: Colours

    @Test func anyColourIsReadable() throws {
        for text in [
            "#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#ffff00", "#808080", "#767676", "#0b57d0",
            "#fde047",
        ] {
            let palette = Palette(accent: text)
            for (accent, grounds) in [(palette.light, Palette.lightGrounds), (palette.dark, Palette.darkGrounds)] {
                let colour = try #require(Palette.Colour(accent.accent))
                for ground in grounds { #expect(colour.contrast(with: ground) >= 4.5, "\(text) \(accent)") }
                let written = try #require(Palette.Colour(accent.onAccent))
                #expect(colour.contrast(with: written) >= 4.5, "\(text) \(accent)")
            }
        }
        // What is readable is left alone.
        #expect(Palette(accent: "#0b57d0").light.accent == "#0b57d0")
        #expect(Palette(accent: "red; } body { display: none").light.accent == Palette(accent: nil).light.accent)
    }

    /// The examples of WCAG's own calculators.
    @Test func contrastsAreThoseOfTheStandard() throws {
        func contrast(_ one: String, _ other: String) throws -> Double {
            try #require(Palette.Colour(one)).contrast(with: try #require(Palette.Colour(other)))
        }
        #expect(abs(try contrast("#000000", "#ffffff") - 21) < 0.001)
        #expect(abs(try contrast("#777777", "#ffffff") - 4.478) < 0.001)
        #expect(abs(try contrast("#767676", "#ffffff") - 4.542) < 0.001)
        #expect(abs(try contrast("#0000ff", "#ffffff") - 8.592) < 0.001)
    }

    @Test func thePalettesGroundsAreTheStylesheets() {
        let text = Stylesheet.text(Palette(accent: nil))
        for ground in Palette.lightGrounds + [Palette.Colour(28, 33, 38), Palette.Colour(18, 21, 25)] {
            #expect(text.contains(ground.text), "\(ground.text)")
        }
    }

    // MARK: Files

    @Test func filesHaveNamesOfTheirOwn() throws {
        let look = try Look(.init(logo: ("image/svg+xml", Array("<svg/>".utf8)), colour: "#663399"))
        let plain = try Look(.init())
        #expect(look.stylesheet.path != plain.stylesheet.path)
        let logo = try #require(look.logo)
        #expect(logo.path.hasSuffix(".svg"))
        func cached(_ path: String) -> String? {
            look.asset(path)?.headers.first { $0.name == "Cache-Control" }?.value
        }
        #expect(cached(logo.path)?.contains("immutable") == true)
        #expect(cached(plain.stylesheet.path) == "no-store", "a page of before the reload")
        #expect(look.asset(logo.path)?.headers.contains { $0.value.contains("sandbox") } == true)
        #expect(look.asset("/.auth/login") == nil && plain.asset(logo.path) == nil)
    }
}
