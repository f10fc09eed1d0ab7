"""What a provider says of itself and of its keys, and cannot be used: nobody is sent there, and nobody comes from there."""

from support.browser import Browser
from support.provider import SECRET, Provider, b64
from test_provider_misbehaves import OTHER, refused
from test_providers import LENA, PORTAL, come_back, go, last, who

METADATA = {
    "of another issuer": ({"issuer": "https://evil.example"}, "bad_metadata"),
    "without an issuer": ({"issuer": None}, "bad_metadata"),
    "no authorization endpoint": ({"authorization_endpoint": None}, "bad_metadata"),
    "an endpoint that is a script": ({"authorization_endpoint": "javascript:alert(1)//x"}, "bad_metadata"),
    "an endpoint in the clear": ({"token_endpoint": "http://idp.example.com/token"}, "bad_metadata"),
    "an endpoint with a user": ({"token_endpoint": "https://a:b@idp.example.com/token"}, "bad_metadata"),
    "an endpoint with a new line": ({"authorization_endpoint": "https://idp.example.com/a\nb"}, "bad_metadata"),
    "no authentication of ours": ({"token_endpoint_auth_methods_supported": ["none"]}, "bad_metadata"),
}


def test_metadata_that_cannot_be_used(make_gate):
    providers = {f"p{index}": Provider(**changes) for index, (changes, _) in enumerate(METADATA.values())}
    instead = {"big": (200, {}, b'{"a":"' + b"x" * 300_000 + b'"}'), "redirect": (302, {"Location": "/other"}, b"{}"),
               "text": (200, {}, b"hello"), "twice": (200, {}, b'{"issuer":"a","issuer":"b"}')}
    for name, how in instead.items():
        providers[name] = Provider()
        providers[name].behave(metadata=how)
    gone = Provider()
    gone.stop()
    providers["gone"] = gone
    gate = make_gate(
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        limits={"exempt_networks": ["127.0.0.0/8"]},
        login={"providers": [provider.settings(id) for id, provider in providers.items()]})
    for id, provider in providers.items():
        browser = Browser(gate)
        response = browser.send("GET", f"{PORTAL}/.auth/oauth/{id}")
        assert response.status == 503, (id, response.status)
        expected = "provider_unavailable" if id in ("big", "redirect", "gone") else "bad_metadata"
        refused(gate, browser, response, expected, id)
        assert "/other" not in provider.visits
    for provider in providers.values():
        if provider is not gone:
            provider.stop()


def jwk(provider, **changes):
    """Its own key with changes; None takes a member away."""
    key = provider.key.jwk() | changes
    return {"keys": [{name: value for name, value in key.items() if value is not None}]}


KEYS = {
    "none": lambda p: {"keys": []},
    "no set": lambda p: [],
    "a text": lambda p: b"hello",
    "members twice": lambda p: b'{"keys":[],"keys":[]}',
    "too long": lambda p: b'{"keys":"' + b"x" * 300_000 + b'"}',
    "for encryption": lambda p: jwk(p, use="enc"),
    "of another algorithm": lambda p: jwk(p, alg="RS256"),
    "of another curve": lambda p: jwk(p, crv="P-384"),
    "no point of the curve": lambda p: jwk(p, y=p.key.jwk()["x"]),
    "a secret": lambda p: jwk(p, kty="oct", k=b64(SECRET.encode()), alg="HS256", crv=None, x=None, y=None),
    "somebody else's of that name": lambda p: {"keys": [OTHER.jwk()]},
}


def test_keys_that_cannot_be_used(make_gate):
    providers = {}
    for index, make in enumerate(KEYS.values()):
        server = providers[f"k{index}"] = Provider()
        server.behave(keys=(200, {}, make(server)))
    providers["failing"] = Provider()
    providers["failing"].behave(keys=(500, {}, b"{}"))
    gate = make_gate(
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        limits={"exempt_networks": ["127.0.0.0/8"]},
        login={"providers": [provider.settings(id) for id, provider in providers.items()]})
    for id, server in providers.items():
        browser = Browser(gate)
        response = come_back(browser, *go(browser, server, id, **LENA), follow=False)
        event = last(gate)
        assert event["success"] is False and event["metadata"]["provider"] == id
        assert event["metadata"]["error"] in ("provider_unavailable", "bad_id_token"), (id, event)
        assert response.status in (403, 503) and who(browser) is None
        server.stop()
