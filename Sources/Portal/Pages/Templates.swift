/// The pages, as Mustache: `{{…}}` is escaped for HTML, and nothing here asks for anything else. `t` is the catalogue of
/// the reader's language.
enum Templates {
    static let all: [String: String] = [
        "head": head, "foot": foot, "navigation": navigation, "error": error, "login": login, "logout": logout,
        "signed_out": signedOut, "denied": denied, "loop": loop, "message": message, "account": account,
        "sessions": sessions, "security": security, "keys": keys, "link": link, "done": done, "forgot": forgot,
        "reset": reset, "activity": activity, "email_change": emailChange, "parts": otherParts,
    ].merging(registration) { own, _ in own }.merging(factors) { own, _ in own }.merging(providers) { own, _ in own }

    private static let head = """
        <!DOCTYPE html>
        <html lang="{{t.language}}">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>{{#error}}{{t.error}}: {{/error}}{{title}} – {{site}}</title>
        <link rel="stylesheet" href="{{stylesheet}}">
        {{#script}}<script src="{{script}}" defer></script>
        {{/script}}</head>
        <body{{#wide}} class="wide"{{/wide}}>
        <a class="skip" href="#main">{{t.skip}}</a>
        <header>{{#logo}}<img class="logo" src="{{logo}}" alt="">{{/logo}}<p class="site">{{site}}</p></header>
        <main id="main">
        <h1>{{title}}</h1>

        """

    private static let foot = """
        </main>
        </body>
        </html>

        """

    /// What went wrong, read out at once.
    private static let error = """
        {{#error}}<p class="error" role="alert" id="error">{{error}}</p>
        {{/error}}{{#notice}}<p class="notice" role="status">{{notice}}</p>
        {{/notice}}
        """

    private static let navigation = """
        <nav aria-label="{{t.pages}}"><ul>
        {{#links}}<li><a href="{{href}}"{{#current}} aria-current="page"{{/current}}>{{label}}</a></li>
        {{/links}}</ul></nav>

        """

    private static let login = """
        {{> head}}{{> error}}
        {{#step_up}}{{#password_enabled}}<p>{{t.step_up_text}}</p>
        {{/password_enabled}}<p>{{t.signed_in_as}} <strong>{{user}}</strong></p>
        {{/step_up}}{{#destination}}<p>{{t.sign_in_to}} <strong>{{destination}}</strong></p>
        {{/destination}}{{#password_enabled}}<form method="post" action="/.auth/login">
        <input type="hidden" name="flow" value="{{flow}}">
        {{^step_up}}<div class="field">
        <label for="identifier">{{t.identifier}}</label>
        <input id="identifier" name="identifier" type="text" autocomplete="username{{#passkey_options}} webauthn{{/passkey_options}}" autocapitalize="none" spellcheck="false" required value="{{identifier}}"{{#bad_identifier}} aria-invalid="true" aria-describedby="error"{{/bad_identifier}}>
        </div>
        {{/step_up}}{{#step_up}}<input type="text" autocomplete="username" value="{{user}}" hidden>
        {{/step_up}}<div class="field">
        <label for="password">{{t.password}}</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required{{#bad_password}} aria-invalid="true" aria-describedby="error"{{/bad_password}}>
        </div>
        {{^step_up}}<div class="choice">
        <input id="remember" name="remember" type="checkbox" value="yes"{{#remember}} checked{{/remember}}>
        <label for="remember">{{t.remember}}</label>
        </div>
        {{/step_up}}<button type="submit">{{action}}</button>
        </form>
        {{#sends_mail}}<p><a href="/.auth/forgot-password">{{t.forgot_title}}</a></p>
        {{/sends_mail}}{{/password_enabled}}{{> code_form}}{{> passkey_form}}{{> provider_buttons}}{{#no_way}}<p>{{no_way}}</p>
        {{#step_up}}<p><a href="/.auth/logout">{{t.sign_out}}</a></p>
        {{/step_up}}{{/no_way}}{{#magic_link}}<h2>{{t.or_by_mail}}</h2>
        {{> magic_form}}{{/magic_link}}{{#register}}<p><a href="{{register}}">{{t.register}}</a></p>
        {{/register}}{{> foot}}
        """

    private static let logout = """
        {{> head}}{{> error}}
        {{#user}}<p>{{t.signed_in_as}} <strong>{{user}}</strong></p>
        <p>{{t.sign_out_question}}</p>
        <form method="post" action="/.auth/logout">
        <input type="hidden" name="token" value="{{token}}">
        <button type="submit">{{t.sign_out}}</button>
        </form>
        <p><a href="/.auth/account">{{t.back_to_account}}</a></p>
        {{/user}}{{^user}}<p>{{t.not_signed_in}}</p>
        <p><a href="/.auth/login">{{t.sign_in}}</a></p>
        {{/user}}{{> foot}}
        """

    private static let signedOut = """
        {{> head}}<p>{{t.signed_out_text}}</p>
        {{#provider_url}}<p><a href="{{provider_url}}">{{t.provider_sign_out}} {{provider_name}}</a></p>
        {{/provider_url}}<p><a href="/.auth/login">{{t.sign_in}}</a></p>
        {{> foot}}
        """

    private static let denied = """
        {{> head}}<p>{{t.denied_text}}</p>
        <dl>
        <dt>{{t.signed_in_as}}</dt><dd>{{#user}}{{user}}{{/user}}{{^user}}{{t.not_signed_in}}{{/user}}</dd>
        {{#reason}}<dt>{{t.denied_reason}}</dt><dd>{{reason}}</dd>
        {{/reason}}{{#request}}<dt>{{t.request_id}}</dt><dd><code>{{request}}</code></dd>
        {{/request}}</dl>
        {{#advice}}<p>{{advice}}</p>
        {{/advice}}{{#request}}<p>{{t.denied_ask}}</p>
        {{/request}}
        <p><a href="{{origin}}/.auth/logout">{{t.denied_other_account}}</a></p>
        <p><a href="{{origin}}/.auth/account">{{t.back_to_account}}</a></p>
        {{> foot}}
        """

    private static let loop = """
        {{> head}}<p>{{t.loop_text}}</p>
        <dl><dt>{{t.signed_in_as}}</dt><dd>{{user}}</dd>
        <dt>{{t.request_id}}</dt><dd><code>{{request}}</code></dd></dl>
        <p><a href="{{target}}">{{t.loop_continue}}</a></p>
        <p><a href="/.auth/logout">{{t.sign_out}}</a></p>
        <p><a href="/.auth/account">{{t.back_to_account}}</a></p>
        {{> foot}}
        """

    private static let message = """
        {{> head}}<p>{{text}}</p>
        {{#request}}<dl><dt>{{t.request_id}}</dt><dd><code>{{request}}</code></dd></dl>
        {{/request}}{{#again}}<p><a href="{{again}}">{{t.load_again}}</a></p>
        {{/again}}{{#set_up}}<p><a href="/.auth/account/security">{{t.totp_set_up}}</a></p>
        {{/set_up}}<p><a href="/.auth/account">{{t.back_to_account}}</a></p>
        {{> foot}}
        """

    private static let account = """
        {{> head}}{{> navigation}}{{> error}}
        <h2>{{t.profile}}</h2>
        <dl>
        <dt>{{t.user_name}}</dt><dd>{{user}}</dd>
        <dt>{{t.email}}</dt><dd>{{email}}</dd>
        <dt>{{t.groups}}</dt><dd>{{#groups}}{{groups}}{{/groups}}{{^groups}}{{t.none}}{{/groups}}</dd>
        </dl>
        <form method="post" action="/.auth/account">
        <input type="hidden" name="token" value="{{token}}">
        <div class="field">
        <label for="name">{{t.name}}</label>
        <p class="hint" id="name-hint">{{t.name_hint}}</p>
        <input id="name" name="name" type="text" autocomplete="name" value="{{name}}" aria-describedby="name-hint{{#bad_name}} error{{/bad_name}}"{{#bad_name}} aria-invalid="true"{{/bad_name}}>
        </div>
        <button type="submit">{{t.save}}</button>
        </form>
        {{> email_change}}{{> foot}}
        """

    private static let sessions = """
        {{> head}}{{> navigation}}{{> error}}
        <p>{{t.sessions_text}}</p>
        <ul class="cards">
        {{#sessions}}<li>
        <h2>{{device}}{{#is_current}} <span class="badge">{{t.this_device}}</span>{{/is_current}}</h2>
        <dl>
        <dt>{{t.last_seen}}</dt><dd>{{last_activity}}</dd>
        <dt>{{t.since}}</dt><dd>{{created_at}}</dd>
        {{#address}}<dt>{{t.address}}</dt><dd>{{address}}</dd>
        {{/address}}</dl>
        {{^is_current}}<form method="post" action="/.auth/account/sessions">
        <input type="hidden" name="token" value="{{token}}">
        <input type="hidden" name="session" value="{{id}}">
        <button class="quiet" type="submit" aria-label="{{t.end_session}}: {{device}}">{{t.end_session}}</button>
        </form>
        {{/is_current}}</li>
        {{/sessions}}</ul>
        {{> parts}}{{#has_others}}<form method="post" action="/.auth/account/sessions">
        <input type="hidden" name="token" value="{{token}}">
        <input type="hidden" name="others" value="yes">
        <button type="submit">{{t.end_other_sessions}}</button>
        </form>
        {{/has_others}}{{> foot}}
        """

    private static let link = """
        {{> head}}<p>{{text}}</p>
        {{#account}}<dl><dt>{{t.user_name}}</dt><dd>{{account}}</dd></dl>
        {{/account}}<form method="post" action="{{action}}">
        <button type="submit">{{t.confirm}}</button>
        </form>
        {{> foot}}
        """

    private static let done = """
        {{> head}}<p role="status">{{text}}</p>
        <p><a href="/.auth/login">{{t.sign_in}}</a></p>
        {{> foot}}
        """

    private static let forgot = """
        {{> head}}{{> error}}
        <p>{{t.forgot_text}}</p>
        <form method="post" action="/.auth/forgot-password">
        <div class="field">
        <label for="email">{{t.email}}</label>
        <input id="email" name="email" type="email" autocomplete="email" required value="{{email}}"{{#bad_email}} aria-invalid="true" aria-describedby="error"{{/bad_email}}>
        </div>
        <button type="submit">{{t.forgot_send}}</button>
        </form>
        <p><a href="/.auth/login">{{t.sign_in}}</a></p>
        {{> foot}}
        """

    private static let reset = """
        {{> head}}{{> error}}
        <form method="post" action="{{action}}">
        <div class="field">
        <label for="new">{{t.new_password}}</label>
        <p class="hint" id="new-hint">{{shortest_password}} {{t.new_password_hint}}</p>
        <input id="new" name="new" type="password" autocomplete="new-password" required aria-describedby="new-hint{{#bad_new}} error{{/bad_new}}"{{#bad_new}} aria-invalid="true"{{/bad_new}}>
        </div>
        <button type="submit">{{t.change_password}}</button>
        </form>
        {{> foot}}
        """

    private static let keys = """
        {{> head}}{{> navigation}}{{> error}}
        {{#secret}}<div class="notice" role="status"><p>{{t.key_once}}</p><p><code>{{secret}}</code></p></div>
        {{/secret}}<ul class="cards">
        {{#keys}}<li>
        <h2>{{name}}</h2>
        <dl>
        <dt>{{t.key_prefix}}</dt><dd><code>{{prefix}}…</code></dd>
        {{#scope_list}}<dt>{{t.key_scopes}}</dt><dd>{{scope_list}}</dd>
        {{/scope_list}}<dt>{{t.key_used}}</dt><dd>{{used}}</dd>
        <dt>{{t.key_expires}}</dt><dd>{{expires}}</dd>
        </dl>
        <form method="post" action="/.auth/account/api-keys">
        <input type="hidden" name="token" value="{{token}}">
        <input type="hidden" name="revoke" value="{{id}}">
        <button class="quiet" type="submit" aria-label="{{t.key_revoke}}: {{name}}">{{t.key_revoke}}</button>
        </form>
        </li>
        {{/keys}}</ul>
        {{> parts}}<h2>{{t.key_new}}</h2>
        <form method="post" action="/.auth/account/api-keys">
        <input type="hidden" name="token" value="{{token}}">
        <div class="field">
        <label for="name">{{t.name}}</label>
        <input id="name" name="name" type="text" autocomplete="off" required value="{{name}}"{{#bad_name}} aria-invalid="true" aria-describedby="error"{{/bad_name}}>
        </div>
        {{#wants_routes}}<div class="field">
        <label for="routes">{{t.key_routes}}</label>
        <p class="hint" id="routes-hint">{{t.key_routes_hint}}</p>
        <input id="routes" name="routes" type="text" autocomplete="off" autocapitalize="none" spellcheck="false" required value="{{routes}}" aria-describedby="routes-hint{{#bad_routes}} error{{/bad_routes}}"{{#bad_routes}} aria-invalid="true"{{/bad_routes}}>
        </div>
        {{/wants_routes}}{{#has_scopes}}<fieldset><legend>{{t.key_scopes}}</legend>
        {{#scopes}}<label class="choice"><input type="checkbox" name="scope {{scope}}" value="yes"{{#is_chosen}} checked{{/is_chosen}}> <span>{{scope}}: {{summary}}</span></label>
        {{/scopes}}</fieldset>
        {{/has_scopes}}<div class="field">
        <label for="days">{{t.key_days}}</label>
        <select id="days" name="days">
        {{#lifetimes}}<option value="{{days}}"{{#is_usual}} selected{{/is_usual}}>{{days}}</option>
        {{/lifetimes}}</select>
        </div>
        <button type="submit">{{t.key_create}}</button>
        </form>
        {{> foot}}
        """

    private static let security = """
        {{> head}}{{> navigation}}{{> error}}
        {{#password_enabled}}<h2>{{t.password}}</h2>
        <form method="post" action="/.auth/account/security">
        <input type="hidden" name="token" value="{{token}}">
        <input type="text" autocomplete="username" value="{{user}}" hidden>
        <div class="field">
        <label for="current">{{t.current_password}}</label>
        <input id="current" name="current" type="password" autocomplete="current-password" required{{#bad_password}} aria-invalid="true" aria-describedby="error"{{/bad_password}}>
        </div>
        <div class="field">
        <label for="new">{{t.new_password}}</label>
        <p class="hint" id="new-hint">{{shortest_password}} {{t.new_password_hint}}</p>
        <input id="new" name="new" type="password" autocomplete="new-password" required aria-describedby="new-hint{{#bad_new}} error{{/bad_new}}"{{#bad_new}} aria-invalid="true"{{/bad_new}}>
        </div>
        <button type="submit">{{t.change_password}}</button>
        </form>
        {{/password_enabled}}{{#no_password}}<h2>{{t.password}}</h2>
        <p>{{t.password_none}}</p>
        <p><a href="/.auth/forgot-password">{{t.forgot_send}}</a></p>
        {{/no_password}}{{> factors}}{{> foot}}
        """
}
