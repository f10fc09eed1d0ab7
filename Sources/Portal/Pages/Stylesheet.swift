/// The one stylesheet.
enum Stylesheet {
    static func text(_ palette: Palette) -> String {
        """
        :root {
          color-scheme: light dark;
          --ink: #1b1f24; --ground: #f3f5f8; --paper: #ffffff; --panel: #f3f5f8; --line: #767d87; --edge: #d9dee5;
          --accent: \(palette.light.accent); --on-accent: \(palette.light.onAccent); --quiet: #4a525c;
          --bad: #b3261e; --bad-panel: #fceeee; --good: #14602c; --good-panel: #e9f5ec;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ink: #e7e9ec; --ground: #121519; --paper: #1c2126; --panel: #121519; --line: #8b939d; --edge: #363d45;
            --accent: \(palette.dark.accent); --on-accent: \(palette.dark.onAccent); --quiet: #b4bac2;
            --bad: #f2b8b5; --bad-panel: #3a1f1f; --good: #9fd8ae; --good-panel: #1a2f20;
          }
        }

        """ + rules
    }

    private static let rules = """
        * { box-sizing: border-box; }
        html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
        body {
          margin: 0; min-height: 100vh; padding: 0 1rem 3rem; color: var(--ink); background: var(--ground);
          overflow-wrap: anywhere;
        }
        header, main { width: 100%; max-width: 27rem; margin: 0 auto; }
        .wide header, .wide main { max-width: 44rem; }
        header { display: flex; align-items: center; justify-content: center; gap: .75rem; padding: 2rem 0 1.25rem; }
        .wide header { justify-content: flex-start; padding: 1.25rem 0; }
        .logo { display: block; width: auto; height: 2.5rem; max-width: 10rem; }
        .site { margin: 0; font-size: 1.15rem; font-weight: 600; }
        main {
          padding: 1.75rem; background: var(--paper); border: 1px solid var(--edge); border-radius: .75rem;
          box-shadow: 0 1px 3px rgb(0 0 0 / 8%);
        }
        h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
        h2 { font-size: 1.1rem; margin: 2rem 0 .75rem; }
        p { margin: 0 0 1rem; }
        main > :last-child { margin-bottom: 0; }
        form + p, form + h2 { margin-top: 1.5rem; }
        a { color: var(--accent); text-underline-offset: .15em; }
        nav ul {
          display: flex; flex-wrap: wrap; gap: 0 1.5rem; list-style: none; margin: 0 0 1.5rem; padding: 0;
          border-bottom: 1px solid var(--edge);
        }
        nav a {
          display: inline-block; min-height: 1.5rem; margin-bottom: -1px; padding: .5rem 0; text-decoration: none;
          color: var(--quiet); border-bottom: 3px solid transparent;
        }
        nav a:hover { color: var(--ink); border-color: var(--line); }
        nav a[aria-current] { color: var(--ink); font-weight: 600; border-color: var(--accent); }
        .field { margin: 0 0 1.1rem; }
        label { font-weight: 600; }
        .field label { display: block; margin: 0 0 .35rem; }
        .hint { margin: 0 0 .4rem; color: var(--quiet); font-size: .95rem; }
        input[type=text], input[type=email], input[type=password], input:not([type]), select {
          width: 100%; min-height: 2.75rem; padding: .5rem .75rem; font: inherit; color: inherit;
          background: var(--paper); border: 1px solid var(--line); border-radius: .45rem;
        }
        input[aria-invalid=true] { border-color: var(--bad); border-width: 2px; }
        .choice { display: flex; align-items: center; gap: .6rem; margin: 0 0 1.1rem; min-height: 2rem; }
        .choice label { font-weight: 400; }
        input[type=checkbox], input[type=radio] {
          width: 1.35rem; height: 1.35rem; margin: 0; accent-color: var(--accent); flex: none;
        }
        button, .button {
          display: inline-block; width: 100%; min-height: 2.75rem; padding: .5rem 1.25rem; font: inherit;
          font-weight: 600; text-align: center; text-decoration: none; cursor: pointer; color: var(--on-accent);
          background: var(--accent); border: 1px solid var(--accent); border-radius: .45rem;
        }
        .wide button, .wide .button { width: auto; }
        button:hover, .button:hover { filter: brightness(1.08); }
        button.quiet, .button.quiet { width: auto; color: var(--accent); background: none; border-color: var(--line); }
        button.other, .button.other { color: var(--accent); background: none; border-color: var(--line); }
        :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
        .error, .notice { margin: 0 0 1.25rem; padding: .75rem 1rem; border-radius: .45rem; border-left: .3rem solid; }
        .error { color: var(--bad); background: var(--bad-panel); }
        .notice { color: var(--good); background: var(--good-panel); }
        .notice > :last-child { margin-bottom: 0; }
        fieldset { margin: 0 0 1.1rem; padding: .5rem 1rem .25rem; border: 1px solid var(--line); border-radius: .45rem; }
        fieldset .choice { margin: 0 0 .5rem; }
        legend { font-weight: 600; padding: 0 .4rem; }
        label.choice { font-weight: 400; }
        code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .9em; }
        .notice code { display: block; padding: .6rem .75rem; background: var(--paper); color: var(--ink); }
        dl { display: grid; grid-template-columns: minmax(6rem, auto) 1fr; gap: .3rem 1.25rem; margin: 0 0 1.25rem; }
        dt { color: var(--quiet); }
        dd { margin: 0; }
        .providers { list-style: none; margin: 0 0 1.1rem; padding: 0; display: grid; gap: .75rem; }
        form + .providers { margin-top: 1.1rem; }
        .wide .providers { justify-items: start; }
        .codes { columns: 10rem; list-style: none; margin: 0 0 1.25rem; padding: 1rem 1.25rem; background: var(--panel); }
        .qr { display: block; max-width: 100%; height: auto; }
        .cards { list-style: none; margin: 0 0 1.25rem; padding: 0; }
        .cards li { padding: 1rem 1.25rem; margin: 0 0 .75rem; background: var(--panel); border-radius: .6rem; }
        .cards h2 { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .6rem; margin: 0 0 .5rem; }
        .cards li > :last-child { margin-bottom: 0; }
        .badge {
          display: inline-block; padding: 0 .6rem; font-size: .85rem; font-weight: 400;
          color: var(--good); background: var(--good-panel); border-radius: 1rem;
        }
        .bad { color: var(--bad); }
        .skip { position: absolute; left: -100vw; }
        .skip:focus { position: static; }
        @media (max-width: 30rem) {
          body { padding: 0 .75rem 2rem; }
          header { padding: 1.25rem 0 1rem; }
          main { padding: 1.25rem; }
          .wide button, .wide .button { width: 100%; }
          .wide button.quiet { width: auto; }
          dl { grid-template-columns: 1fr; gap: 0; }
          dd { margin: 0 0 .5rem; }
        }

        """
}
