"""What `gatehouse snippet` prints and refuses to print."""

import pytest

from support.proxies import KINDS


# The command


@pytest.fixture
def printing(make_gate):
    def make(*arguments, **settings):
        gate = make_gate(start=False, **({
            "trusted_proxies": ["127.0.0.1"], "upstreams": {"app": {"url": ["http://127.0.0.1:3000"]}},
            "routes": [{"name": "app", "host": ["app.example.com"], "upstream": "app",
                        "rules": [{"allow": "everyone"}]}]} | settings))
        return gate.cli("snippet", *arguments, check=False)
    return make


def test_wrong_usage_is_said(printing):
    for arguments in [["apache"], ["nginx", "--lua"], ["nginx", "--listen", "80"], ["nginx", "--listen", "a:b"],
                      ["nginx", "--listen", "a;b:80"], ["nginx", "--listen", ":0"], []]:
        result = printing(*arguments)
        assert result.returncode == 2 and result.stderr.strip() and not result.stdout, arguments


def test_what_has_to_be_done_by_hand_is_said(printing):
    route = {"name": "app", "host": ["app.example.com"], "paths": ["/a/**", "/b/*/c"], "rules": [{"allow": "everyone"}]}
    for name in KINDS:
        text = printing(name, trusted_proxies=[], routes=[route]).stdout
        assert "trusted_proxies is empty" in text.replace("\n#", ""), text
        assert "By hand: route app has no upstream" in text
        assert "stays open" in text.replace("\n# ", " ")


def test_a_proxy_that_cannot_name_a_route_gets_none_that_it_would_have_to_guess(printing):
    """Caddy and Envoy: which of two apps gets a request would not be what Gatehouse judged it by."""
    more = {"name": "more", "host": ["app.example.com"], "paths": ["/a/**", "/b/*/c"], "rules": [{"allow": "everyone"}]}
    wide = more | {"host": ["*.example.com"]}
    rest = {"name": "rest", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}
    for routes in [[more, rest], [wide, rest]]:
        for name in KINDS:
            result = printing(name, routes=routes)
            assert (result.returncode == 2) == (name in ("caddy", "envoy")), (name, result.stderr)
            assert result.returncode == 0 or "more" in result.stderr and not result.stdout


def test_every_listener_of_nginx_has_a_default_of_its_own(printing):
    """Its first server would be that otherwise, and would ask about a host that is not its own."""
    def routes(**other):
        return [{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "everyone"}]} | other]
    text = printing("nginx", public_url="https://auth.example.com").stdout
    assert "listen 443 ssl default_server;" in text and "ssl_reject_handshake on;" in text and "listen 80" not in text
    both = printing("nginx", public_url="https://auth.example.com", routes=routes(scheme="http")).stdout
    assert both.count("default_server;") == 2 and both.count("return 421;\n}") == 2, both
    anywhere = routes()[0] | {"name": "any"}
    del anywhere["host"]
    open_ = printing("nginx", "--listen", "0.0.0.0:80", routes=routes() + [anywhere]).stdout
    assert open_.count("listen 0.0.0.0:80 default_server;") == 1 and "return 421;\n}" not in open_


def test_every_route_is_named_where_the_proxy_can(printing):
    for name in ["nginx", "traefik", "haproxy"]:
        text = printing(name).stdout
        assert f"/.auth/check/{name}?route=app" in text and f"/.auth/check/{name} " not in text, text


def test_letters_of_a_prefix_are_no_pattern(printing):
    routes = [{"name": "app", "host": ["app.example.com"], "paths": ["/a[b].c/**"], "rules": [{"allow": "everyone"}]}]
    for name in ["nginx", "caddy", "traefik"]:
        assert r"^/a\[b\]\.c(/|$)" in printing(name, routes=routes).stdout


def test_https_routes_have_a_place_for_the_certificate(printing):
    result = printing("nginx", public_url="https://auth.example.com")
    assert "listen 443 ssl;" in result.stdout and "ssl_certificate_key" in result.stdout


def test_a_unix_socket_is_asked_where_the_proxy_can(printing, tmp_path):
    listen = [{"address": f"unix:{tmp_path}/gate.sock", "serve": ["check", "portal"]}]
    for name in ["nginx", "caddy", "envoy"]:
        assert f"{tmp_path}/gate.sock" in printing(name, listen=listen).stdout
    for name in ["traefik", "haproxy"]:
        assert printing(name, listen=listen).returncode == 2
