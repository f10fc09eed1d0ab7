extension Templates {
    static let activity = """
        {{> head}}{{> navigation}}{{> error}}
        <p>{{t.activity_text}}</p>
        {{#is_empty}}<p>{{t.activity_none}}</p>
        {{/is_empty}}<ul class="cards">
        {{#events}}<li>
        <h2>{{what}}{{#failed}} <span class="badge bad">{{t.activity_failed}}</span>{{/failed}}</h2>
        <dl>
        <dt>{{t.activity_when}}</dt><dd>{{at}}</dd>
        {{#route}}<dt>{{t.activity_route}}</dt><dd>{{route}}</dd>
        {{/route}}{{#count}}<dt>{{t.activity_count}}</dt><dd>{{count}}</dd>
        {{/count}}{{#address}}<dt>{{t.address}}</dt><dd>{{address}}</dd>
        {{/address}}{{#device}}<dt>{{t.activity_device}}</dt><dd>{{device}}</dd>
        {{/device}}{{#by_operator}}<dt>{{t.activity_by}}</dt><dd>{{t.activity_operator}}</dd>
        {{/by_operator}}</dl>
        </li>
        {{/events}}</ul>
        {{> parts}}{{> foot}}
        """

    /// The ways to the other parts of a list.
    static let otherParts = """
        {{#older}}<p><a href="{{older}}" rel="next">{{t.older}}</a></p>
        {{/older}}{{#newest}}<p><a href="{{newest}}">{{t.newest}}</a></p>
        {{/newest}}
        """

    /// The part of the account page that is about another e-mail address.
    static let emailChange = """
        {{#email_form}}<h2>{{t.email_change}}</h2>
        {{#email_error}}<p class="error" role="alert" id="email-error">{{email_error}}</p>
        {{/email_error}}<form method="post" action="/.auth/account">
        <input type="hidden" name="token" value="{{token}}">
        <div class="field">
        <label for="email">{{t.email_new}}</label>
        <p class="hint" id="email-hint">{{t.email_change_hint}}</p>
        <input id="email" name="email" type="email" autocomplete="email" required value="{{new_email}}" aria-describedby="email-hint{{#email_error}} email-error{{/email_error}}"{{#email_error}} aria-invalid="true"{{/email_error}}>
        </div>
        <button type="submit">{{t.email_change}}</button>
        </form>
        {{/email_form}}{{#email_proof}}<h2>{{t.email_change}}</h2>
        <p>{{t.email_change_proof}}</p>
        <p><a href="{{email_proof}}">{{t.step_up_title}}</a></p>
        {{/email_proof}}
        """
}
