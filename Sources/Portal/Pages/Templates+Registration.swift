/// The pages of registering and of signing in by mail.
extension Templates {
    static let registration: [String: String] = [
        "register": register, "register_sent": registerSent, "verify": verify, "registered": registered,
        "magic": magic, "magic_form": magicForm, "magic_sent": magicSent, "magic_elsewhere": magicElsewhere,
        "magic_confirm": magicConfirm,
    ]

    private static let register = """
        {{> head}}{{> error}}
        <p>{{t.register_text}}</p>
        {{#is_invited_only}}<p>{{t.register_invited}}</p>
        {{/is_invited_only}}<form method="post" action="/.auth/register">
        {{#return_to}}<input type="hidden" name="return_to" value="{{return_to}}">
        {{/return_to}}<div class="field">
        <label for="email">{{t.email}}</label>
        <input id="email" name="email" type="email" autocomplete="email" required value="{{email}}"{{#bad_email}} aria-invalid="true" aria-describedby="error"{{/bad_email}}>
        </div>
        <div class="field">
        <label for="name">{{t.name}}</label>
        <p class="hint" id="name-hint">{{t.name_hint}}</p>
        <input id="name" name="name" type="text" autocomplete="name" value="{{name}}" aria-describedby="name-hint{{#bad_name}} error{{/bad_name}}"{{#bad_name}} aria-invalid="true"{{/bad_name}}>
        </div>
        <button type="submit">{{t.register_send}}</button>
        </form>
        <p><a href="{{login}}">{{t.sign_in}}</a></p>
        {{> foot}}
        """

    private static let registerSent = """
        {{> head}}<p role="status">{{t.register_sent}}</p>
        <p>{{t.mail_not_there}}</p>
        <form method="post" action="/.auth/register">
        <input type="hidden" name="email" value="{{email}}">
        <input type="hidden" name="name" value="{{name}}">
        {{#return_to}}<input type="hidden" name="return_to" value="{{return_to}}">
        {{/return_to}}<button class="quiet" type="submit">{{t.send_again}}</button>
        </form>
        {{> foot}}
        """

    private static let verify = """
        {{> head}}{{> error}}
        <p>{{t.verify_registration_text}}</p>
        <form method="post" action="{{action}}">
        <div class="field">
        <label for="email">{{t.email}}</label>
        <input id="email" name="email" type="email" autocomplete="username" readonly value="{{email}}">
        </div>
        <div class="field">
        <label for="name">{{t.name}}</label>
        <p class="hint" id="name-hint">{{t.name_hint}}</p>
        <input id="name" name="name" type="text" autocomplete="name" value="{{name}}" aria-describedby="name-hint{{#bad_name}} error{{/bad_name}}"{{#bad_name}} aria-invalid="true"{{/bad_name}}>
        </div>
        {{#password_enabled}}<div class="field">
        <label for="new">{{t.password}}</label>
        <p class="hint" id="new-hint">{{shortest_password}} {{t.new_password_hint}}</p>
        <input id="new" name="new" type="password" autocomplete="new-password" required aria-describedby="new-hint{{#bad_new}} error{{/bad_new}}"{{#bad_new}} aria-invalid="true"{{/bad_new}}>
        </div>
        {{/password_enabled}}<button type="submit">{{t.register_finish}}</button>
        </form>
        {{> foot}}
        """

    private static let registered = """
        {{> head}}<p role="status">{{t.registered_text}}</p>
        <p><a href="{{login}}">{{t.sign_in}}</a></p>
        {{> foot}}
        """

    private static let magicForm = """
        <form method="post" action="/.auth/magic-link">
        <input type="hidden" name="flow" value="{{flow}}">
        <div class="field">
        <label for="email">{{t.email}}</label>
        <input id="email" name="email" type="email" autocomplete="email" required value="{{email}}"{{#bad_email}} aria-invalid="true" aria-describedby="error"{{/bad_email}}>
        </div>
        <button{{#magic_link}}{{#password_enabled}} class="other"{{/password_enabled}}{{/magic_link}} type="submit">{{t.magic_send}}</button>
        </form>

        """

    private static let magic = """
        {{> head}}{{> error}}
        <p>{{t.magic_text}}</p>
        {{> magic_form}}<p><a href="{{login}}">{{t.sign_in}}</a></p>
        {{> foot}}
        """

    private static let magicSent = """
        {{> head}}<p role="status">{{t.magic_sent}}</p>
        <p>{{t.mail_not_there}}</p>
        <p><a href="{{login}}">{{t.sign_in}}</a></p>
        {{> foot}}
        """

    private static let magicElsewhere = """
        {{> head}}<p>{{t.magic_elsewhere_text}}</p>
        {{> magic_form}}{{> foot}}
        """

    private static let magicConfirm = """
        {{> head}}<p>{{t.magic_confirm_text}} <strong>{{user}}</strong></p>
        {{#present}}<p>{{t.magic_confirm_present}} <strong>{{present}}</strong></p>
        {{/present}}{{#destination}}<p>{{t.sign_in_to}} <strong>{{destination}}</strong></p>
        {{/destination}}<form method="post" action="{{action}}">
        <div class="choice">
        <input id="remember" name="remember" type="checkbox" value="yes">
        <label for="remember">{{t.remember}}</label>
        </div>
        <button type="submit">{{t.sign_in}}</button>
        </form>
        {{> foot}}
        """
}
