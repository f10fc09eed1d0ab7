extension Templates {
    static let factors: [String: String] = [
        "two_factor": twoFactor, "totp": totp, "codes": codes, "factors": factorSection, "code_field": codeField,
        "passkey_form": passkeyForm, "code_form": codeForm,
    ]

    private static let codeField = """
        <div class="field">
        <label for="code">{{t.code}}</label>
        <p class="hint" id="code-hint">{{t.code_hint}}</p>
        <input id="code" name="code" type="text" inputmode="text" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" required aria-describedby="code-hint{{#bad_code}} error{{/bad_code}}"{{#bad_code}} aria-invalid="true"{{/bad_code}}>
        </div>

        """

    /// On the sign-in page, where somebody who is signed in proves the second factor once more.
    private static let codeForm = """
        {{#takes_codes}}<h2>{{t.or_by_code}}</h2>
        <form method="post" action="/.auth/two-factor">
        <input type="hidden" name="flow" value="{{flow}}">
        {{> code_field}}<button type="submit">{{t.confirm}}</button>
        </form>
        {{/takes_codes}}
        """

    /// Hidden until the script finds that the browser knows passkeys.
    private static let passkeyForm = """
        {{#passkey_options}}<form method="post" action="/.auth/passkey" data-ceremony="get" data-options="{{passkey_options}}"{{#autofill}} data-autofill="yes"{{/autofill}} hidden>
        <input type="hidden" name="flow" value="{{flow}}">
        <input type="hidden" name="credential" value="">
        <input type="hidden" name="remember" value="">
        <input type="hidden" name="trust" value="">
        <p class="error" role="alert" hidden>{{t.passkey_failed}}</p>
        <button{{#password_enabled}}{{#autofill}} class="other"{{/autofill}}{{/password_enabled}} type="submit">{{t.passkey_use}}</button>
        </form>
        {{/passkey_options}}
        """

    private static let twoFactor = """
        {{> head}}{{> error}}
        {{#user}}<p>{{t.signed_in_as}} <strong>{{user}}</strong></p>
        {{/user}}{{#enrols}}<p>{{t.enrol_text}}</p>
        <form method="post" action="/.auth/two-factor">
        <input type="hidden" name="flow" value="{{flow}}">
        <button type="submit">{{t.totp_set_up}}</button>
        </form>
        {{/enrols}}{{#takes_codes}}<p>{{t.two_factor_text}}</p>
        <form method="post" action="/.auth/two-factor">
        <input type="hidden" name="flow" value="{{flow}}">
        {{> code_field}}{{#offers_trust}}<div class="choice">
        <input id="trust" name="trust" type="checkbox" value="yes">
        <label for="trust">{{t.trust_device}}</label>
        </div>
        {{/offers_trust}}<button type="submit">{{t.confirm}}</button>
        </form>
        {{/takes_codes}}{{^takes_codes}}{{#passkey_options}}<p>{{t.passkey_needed}}</p>
        {{/passkey_options}}{{/takes_codes}}{{> passkey_form}}
        <p><a href="{{login}}">{{t.begin_again}}</a></p>
        {{> foot}}
        """

    private static let totp = """
        {{> head}}{{> error}}
        <p>{{t.totp_text}}</p>
        {{#picture}}<p><img class="qr" src="{{picture}}" width="240" height="240" alt="{{t.totp_picture}}"></p>
        {{/picture}}<p>{{t.totp_by_hand}}</p>
        <p><code>{{secret}}</code></p>
        <p><a href="{{uri}}">{{t.totp_open}}</a></p>
        <form method="post" action="{{action}}">
        <input type="hidden" name="{{hidden_name}}" value="{{hidden_value}}">
        <input type="hidden" name="step" value="confirm">
        {{> code_field}}<button type="submit">{{t.confirm}}</button>
        </form>
        {{> foot}}
        """

    private static let codes = """
        {{> head}}<p>{{t.codes_text}}</p>
        <ul class="codes">
        {{#codes}}<li><code>{{code}}</code></li>
        {{/codes}}</ul>
        <p><a href="{{target}}">{{t.codes_done}}</a></p>
        {{> foot}}
        """

    /// A part of the security page.
    private static let factorSection = """
        <h2>{{t.second_factor}}</h2>
        {{^totp_since}}{{^has_factors}}<p>{{t.totp_none}}</p>
        {{/has_factors}}<form method="post" action="/.auth/account/security/two-factor">
        <input type="hidden" name="token" value="{{token}}">
        <input type="hidden" name="step" value="set_up">
        <button type="submit">{{t.totp_set_up}}</button>
        </form>
        {{/totp_since}}{{#totp_since}}<dl>
        <dt>{{t.totp_since}}</dt><dd>{{totp_since}}</dd>
        <dt>{{t.codes_left}}</dt><dd>{{codes_left}}</dd>
        </dl>
        <form method="post" action="/.auth/account/security/two-factor">
        <input type="hidden" name="token" value="{{token}}">
        {{> code_field}}<div class="field">
        <label for="step">{{t.factor_change}}</label>
        <select id="step" name="step">
        <option value="codes">{{t.codes_renew}}</option>
        <option value="disable">{{t.totp_disable}}</option>
        </select>
        </div>
        <button type="submit">{{t.confirm}}</button>
        </form>
        {{/totp_since}}{{#passkeys_enabled}}<h2>{{t.passkeys}}</h2>
        <p>{{t.passkeys_text}}</p>
        <ul class="cards">
        {{#passkeys}}<li>
        <h3>{{name}}</h3>
        <dl>
        <dt>{{t.passkey_since}}</dt><dd>{{created}}</dd>
        <dt>{{t.key_used}}</dt><dd>{{used}}</dd>
        </dl>
        <form method="post" action="/.auth/account/security/passkeys">
        <input type="hidden" name="token" value="{{token}}">
        <input type="hidden" name="step" value="rename">
        <input type="hidden" name="passkey" value="{{id}}">
        <div class="field">
        <label for="name-{{id}}">{{t.passkey_name}}</label>
        <input id="name-{{id}}" name="name" type="text" value="{{name}}" maxlength="64" required autocomplete="off">
        </div>
        <button class="quiet" type="submit" aria-label="{{t.passkey_rename}}: {{name}}">{{t.passkey_rename}}</button>
        </form>
        <form method="post" action="/.auth/account/security/passkeys">
        <input type="hidden" name="token" value="{{token}}">
        <input type="hidden" name="step" value="remove">
        <input type="hidden" name="passkey" value="{{id}}">
        <button class="quiet" type="submit" aria-label="{{t.passkey_remove}}: {{name}}">{{t.passkey_remove}}</button>
        </form>
        </li>
        {{/passkeys}}</ul>
        {{#passkey_options}}<noscript><p>{{t.passkey_script}}</p></noscript>
        <form method="post" action="/.auth/account/security/passkeys" data-ceremony="create" data-options="{{passkey_options}}" hidden>
        <input type="hidden" name="token" value="{{token}}">
        <input type="hidden" name="step" value="add">
        <input type="hidden" name="credential" value="">
        <div class="field">
        <label for="passkey-name">{{t.name}}</label>
        <input id="passkey-name" name="name" type="text" maxlength="64" autocomplete="off">
        </div>
        <p class="error" role="alert" hidden>{{t.passkey_failed}}</p>
        <button type="submit">{{t.passkey_add}}</button>
        </form>
        {{/passkey_options}}{{^passkey_options}}<p><a href="/.auth/login?step_up=too_old&amp;return_to=/.auth/account/security">{{t.passkey_prove}}</a></p>
        {{/passkey_options}}{{/passkeys_enabled}}
        """
}
