extension Templates {
    static let providers: [String: String] = [
        "provider_buttons": providerButtons, "provider_failure": providerFailure, "provider_code": providerCode,
        "provider_confirm": providerConfirm,
        "providers": linkedProviders,
    ]

    /// On the sign-in page.
    private static let providerButtons = """
        {{#has_providers}}<ul class="providers">
        {{#providers}}<li><a class="button{{#password_enabled}} other{{/password_enabled}}" href="{{href}}">{{t.provider_sign_in}} {{name}}</a></li>
        {{/providers}}</ul>
        {{/has_providers}}
        """

    private static let providerFailure = """
        {{> head}}<p role="alert">{{text}}</p>
        <p><a href="{{again}}">{{t.provider_again}}</a></p>
        <p>{{t.request_id}}: <code>{{request}}</code></p>
        {{> foot}}
        """

    private static let providerCode = """
        {{> head}}<p>{{t.provider_code_text}}</p>
        <p><code id="code">{{code}}</code></p>
        <p>{{t.provider_code_warning}}</p>
        {{> foot}}
        """

    /// Before a program is given anything.
    private static let providerConfirm = """
        {{> head}}<p>{{t.provider_confirm_text}}</p>
        <p><strong>{{who}}</strong> ({{provider}})</p>
        <p>{{t.provider_confirm_warning}}</p>
        <form method="post" action="{{action}}">
        <input type="hidden" name="confirmation" value="{{confirmation}}">
        <button type="submit">{{t.provider_confirm_button}} {{who}}</button>
        </form>
        {{> foot}}
        """

    private static let linkedProviders = """
        {{> head}}{{> navigation}}{{> error}}
        <p>{{t.providers_text}}</p>
        <ul class="cards">
        {{#linked}}<li>
        <h2>{{name}}</h2>
        <dl>
        {{#email}}<dt>{{t.email}}</dt><dd>{{email}}</dd>
        {{/email}}<dt>{{t.provider_since}}</dt><dd>{{since}}</dd>
        </dl>
        <form method="post" action="/.auth/account/providers">
        <input type="hidden" name="token" value="{{token}}">
        <input type="hidden" name="unlink" value="{{id}}">
        <button class="quiet" type="submit" aria-label="{{t.provider_unlink}}: {{name}}">{{t.provider_unlink}}</button>
        </form>
        </li>
        {{/linked}}</ul>
        {{#has_others}}<h2>{{t.provider_link_title}}</h2>
        <ul class="providers">
        {{#others}}<li><a class="button" href="{{href}}">{{t.provider_link}} {{name}}</a></li>
        {{/others}}</ul>
        {{/has_others}}{{> foot}}
        """
}
