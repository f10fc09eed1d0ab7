internal import Core

/// The one script, for passkeys: browsers have no other way to ask for one. Pages without it work as they are, and a form
/// for passkeys stays hidden where there is none. First-party, under a name that changes with it.
enum PasskeyScript {
    static let path: String = {
        let bytes = Array(text.utf8)
        return "/.auth/passkeys-\(CRC32.checksum(bytes.span)).js"
    }()

    static let text = """
        "use strict";
        (() => {
          const forms = document.querySelectorAll("form[data-ceremony]");
          if (!forms.length || !window.PublicKeyCredential || !navigator.credentials) return;
          const bytes = (text) =>
            Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
          const text = (buffer) =>
            buffer
              ? btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
                  .replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "")
              : undefined;
          const descriptors = (list) => (list || []).map((entry) => ({ ...entry, id: bytes(entry.id) }));
          const asked = (form) => {
            const options = JSON.parse(form.dataset.options);
            options.challenge = bytes(options.challenge);
            if (options.user) options.user.id = bytes(options.user.id);
            if (options.excludeCredentials) options.excludeCredentials = descriptors(options.excludeCredentials);
            if (options.allowCredentials) options.allowCredentials = descriptors(options.allowCredentials);
            return options;
          };
          const answer = (credential) => {
            const given = credential.response;
            const response = { clientDataJSON: text(given.clientDataJSON) };
            if (given.attestationObject) {
              response.attestationObject = text(given.attestationObject);
              response.transports = given.getTransports ? given.getTransports() : [];
            } else {
              response.authenticatorData = text(given.authenticatorData);
              response.signature = text(given.signature);
              response.userHandle = text(given.userHandle);
            }
            return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
          };
          // What was ticked in another form of the page holds for this way in too.
          const chosen = (form) => {
            for (const name of ["remember", "trust"]) {
              const box = document.getElementById(name);
              if (box && form.elements[name]) form.elements[name].value = box.checked ? box.value : "";
            }
          };
          const send = (form, credential) => {
            chosen(form);
            form.elements.credential.value = answer(credential);
            form.submit();
          };
          let waiting = null;
          const ask = async (form) => {
            const failed = form.querySelector("[role=alert]");
            failed.hidden = true;
            if (waiting) waiting.abort();
            try {
              const publicKey = asked(form);
              const credential =
                form.dataset.ceremony === "create"
                  ? await navigator.credentials.create({ publicKey })
                  : await navigator.credentials.get({ publicKey });
              send(form, credential);
            } catch (error) {
              failed.hidden = false;
              if (form.dataset.autofill) offer(form);
            }
          };
          const offer = async (form) => {
            if (!PublicKeyCredential.isConditionalMediationAvailable) return;
            if (!(await PublicKeyCredential.isConditionalMediationAvailable())) return;
            waiting = new AbortController();
            try {
              const credential = await navigator.credentials.get({
                publicKey: asked(form), mediation: "conditional", signal: waiting.signal,
              });
              if (credential) send(form, credential);
            } catch (error) {
              // Another way in was taken.
            }
          };
          for (const form of forms) {
            form.hidden = false;
            form.addEventListener("submit", (event) => {
              event.preventDefault();
              ask(form);
            });
            if (form.dataset.autofill) offer(form);
          }
        })();

        """

    /// It never changes under its name.
    static let answer = Answer(
        status: 200,
        headers: [
            ("Content-Type", "text/javascript; charset=utf-8"),
            ("Cache-Control", "public, max-age=31536000, immutable"), ("X-Content-Type-Options", "nosniff"),
        ], body: Array(text.utf8))
}
