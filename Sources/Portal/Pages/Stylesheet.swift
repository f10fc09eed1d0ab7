internal import Core

/// The one stylesheet, under a name that changes with it, so that it may be kept for ever.
enum Stylesheet {
    static let path: String = {
        let bytes = Array(text.utf8)
        return "/.auth/style-\(CRC32.checksum(bytes.span)).css"
    }()

    static let text = """
        :root {
          --ink: #1b1f24; --paper: #ffffff; --panel: #f4f5f7; --line: #767d87; --accent: #0b57d0; --on-accent: #ffffff;
          --bad: #b3261e; --bad-panel: #fceeee; --good: #14602c; --good-panel: #e9f5ec; --quiet: #4a525c;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ink: #e7e9ec; --paper: #14171a; --panel: #1f2429; --line: #8b939d; --accent: #a8c7fa; --on-accent: #0b1b33;
            --bad: #f2b8b5; --bad-panel: #3a1f1f; --good: #9fd8ae; --good-panel: #1a2f20; --quiet: #b4bac2;
          }
        }
        * { box-sizing: border-box; }
        html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
        body { margin: 0; color: var(--ink); background: var(--paper); overflow-wrap: anywhere; }
        header, main { width: 100%; max-width: 34rem; margin: 0 auto; padding: 1rem 1.25rem; }
        .site { margin: 0; font-weight: 600; color: var(--quiet); }
        h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
        h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
        a { color: var(--accent); }
        nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 0 0 1.25rem; padding: 0; }
        nav a { display: inline-block; padding: .4rem 0; min-height: 1.5rem; }
        nav a[aria-current] { color: var(--ink); font-weight: 600; text-decoration-thickness: .15em; }
        .field { margin: 0 0 1rem; }
        label { font-weight: 600; }
        .field label { display: block; margin: 0 0 .25rem; }
        .hint { margin: 0 0 .35rem; color: var(--quiet); }
        input[type=text], input[type=email], input[type=password], select {
          width: 100%; min-height: 2.75rem; padding: .5rem .75rem; font: inherit; color: inherit;
          background: var(--paper); border: 1px solid var(--line); border-radius: .4rem;
        }
        input[aria-invalid=true] { border-color: var(--bad); border-width: 2px; }
        .choice { display: flex; align-items: center; gap: .6rem; margin: 0 0 1.25rem; min-height: 2rem; }
        .choice label { font-weight: 400; }
        input[type=checkbox] { width: 1.5rem; height: 1.5rem; accent-color: var(--accent); flex: none; }
        button {
          width: 100%; min-height: 2.75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
          color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent); border-radius: .4rem;
        }
        button.quiet { width: auto; color: var(--accent); background: none; }
        :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
        .error, .notice { padding: .75rem 1rem; border-radius: .4rem; border-left: .3rem solid; }
        .error { color: var(--bad); background: var(--bad-panel); }
        .notice { color: var(--good); background: var(--good-panel); }
        fieldset { margin: 0 0 1rem; padding: .5rem 1rem; border: 1px solid var(--line); border-radius: .4rem; }
        legend { font-weight: 600; }
        label.choice { font-weight: 400; }
        dl { display: grid; grid-template-columns: minmax(7rem, auto) 1fr; gap: .25rem 1rem; margin: 0 0 1.25rem; }
        dt { color: var(--quiet); }
        dd { margin: 0; }
        .cards { list-style: none; margin: 0 0 1.25rem; padding: 0; }
        .cards li { padding: 1rem; margin: 0 0 .75rem; background: var(--panel); border-radius: .5rem; }
        .cards h2 { margin: 0 0 .5rem; }
        .badge { font-size: .85rem; font-weight: 400; color: var(--good); }
        .bad { color: var(--bad); }
        .skip { position: absolute; left: -100vw; }
        .skip:focus { position: static; }

        """

    /// It never changes under its name.
    static let answer = Answer(
        status: 200,
        headers: [
            ("Content-Type", "text/css; charset=utf-8"), ("Cache-Control", "public, max-age=31536000, immutable"),
            ("X-Content-Type-Options", "nosniff"),
        ], body: Array(text.utf8))
}
