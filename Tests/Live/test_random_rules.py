"""Random routes, rules and requests: the binary, inline and in every dialect of a check, against `contract_model`."""

import json
import re

import pytest

from support import contract_model as model
from support.gatehouse import Gatehouse
from support.issuer import Issuer
from support.origins import RawOrigin, answer
from support.random_people import PORTAL, People
from support.random_rules import RandomRules
from support.waiting import eventually
from support.wire import Connection, head

SHAPES = ["inline", "nginx", "inline", "traefik", "inline", "caddy", "inline", "envoy", "inline", "haproxy"]
STATUS = {"sign_in": 401, "bad": 401, "step_up": 401, "deny": 403, "no_route": 421, "refused": 400}
IDENTITY = ["Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups"]
COMPLAINT = r"^\S+:\d+:\d+: (routes|rule_sets)(\[(\d+)\](?:\.rules)?|\.(\w+))(\[(\d+)\])?\S*: (.*)$"
CREDENTIALS = ["Authorization", "Cookie", "X-API-Key", "Gatehouse-Key"]


def echo(request, _):
    """An app that says what reached it."""
    seen = {"target": request.target, "headers": {name: request.get(name) for name in IDENTITY + CREDENTIALS}}
    return answer(b"" if request.method == "HEAD" else json.dumps(seen).encode(), headers=[("X-App", "here")])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    origin = RawOrigin(echo)
    issuers = [Issuer(f"https://{name}.example.com", ["ES256"]) for name in ("corp", "flat", "match", "stranger")]
    corp, flat, match, _ = issuers
    gate = Gatehouse(
        tmp_path_factory.mktemp("rules"), public_url=PORTAL, upstreams={"raw": {"url": [origin.url]}},
        routes=[{"name": "r0", "host": ["app.example.com"], "upstream": "raw", "rules": [{"allow": "signed_in"}]},
                {"name": "r1", "host": ["new.example.com"], "rules": [{"allow": {"max_age": "1s"}}]}],
        sessions={"cookie": {"domain": "example.com"}}, api_keys={"scopes": {"r": "read", "w": "write"}},
        trusted_proxies=["127.0.0.1"], log={"format": "json", "level": "info", "requests": "all"},
        # Whoever comes from nowhere is limited together, and hundreds of bad keys do.
        limits={"sign_in": {"rate": "100000/m", "burst": 100000}},
        jwt={"issuers": [corp.settings(),
                         flat.settings(id="flat", issuer=flat.name, user_prefix="", groups_prefix=""),
                         match.settings(id="match", issuer=match.name, match_users="email", email_trusted=True)]})
    gate.people = People(gate)
    gate.start()
    gate.credentials = gate.people.credentials(*issuers)
    youngest = next(who for who in gate.credentials if "passkey" in who.factors)
    eventually(lambda: gate.get(host="new.example.com", headers=youngest.headers).code == "too_old", 10,
               "a sign-in that is older than max_age")
    yield gate
    gate.stop()
    origin.close()
    for issuer in issuers:
        issuer.stop()


class Run:
    """One seed: configurations that the binary takes, requests to each of them, and what differed."""

    def __init__(self, gate, seed):
        self.gate, self.seed = gate, seed
        self.rules = RandomRules(seed, gate.credentials)
        self.differences, self.count = [], 0
        self.verdicts = {}
        self.logged = 0

    def differs(self, what, *details):
        self.differences.append(" | ".join([what, f"seed {self.seed}"] + [str(detail) for detail in details]))

    # Configurations

    def config(self):
        """The next one, without what the binary refuses in it."""
        config = self.rules.config()
        while config["routes"]:
            self.gate.write(self.gate.settings | config)
            result = self.gate.cli("reload", check=False)
            if result.returncode == 0:
                return config
            complaints = re.findall(COMPLAINT, result.stdout + result.stderr, re.M)
            assert complaints, result.stdout + result.stderr
            self.without(config, [(kind, int(index or 0), name, int(rule) if rule else None, what)
                                  for kind, _, index, name, _, rule, what in complaints])
        return self.config()

    def without(self, config, complaints):
        doomed = []
        for kind, index, name, rule, what in complaints:
            if kind == "rule_sets":
                routes = [route for route in config["routes"] if route["rules"] == name]
            else:
                routes = [config["routes"][index]]
            for route in routes:
                self.check_complaint(config, route, rule, what)
            rules = model.rules_of(config, routes[0])
            doomed.append((config["routes"], routes[0]) if rule is None else (rules, rules[rule]))
        for items, item in doomed:
            items[:] = [other for other in items if other is not item]
        used = {route["rules"] for route in config["routes"] if isinstance(route["rules"], str)}
        config["rule_sets"] = {name: rules for name, rules in config["rule_sets"].items() if name in used}

    def check_complaint(self, config, route, rule, what):
        """What can never match is reached by no request."""
        rules = model.rules_of(config, route)
        if "can never match" not in what or rule is not None and rules[rule].get("shadow"):
            return
        for _ in range(100):
            request = self.rules.request(config, route, None if rule is None else rules[rule])
            for found in model.judge(config, request):
                if found.route == route["name"] and rule in (None, found.rule):
                    return self.differs("reached, and yet: " + what, request, json.dumps(config))

    # Requests

    def requests(self, count, explained=0):
        config = self.config()
        self.logged = self.gate.log.stat().st_size
        sent = {}
        connection = None
        for _ in range(count):
            request = self.rules.request(config)
            self.count += 1
            shape, name = SHAPES[self.count % len(SHAPES)], f"{self.seed}-{self.count}"
            connection = connection or Connection(self.gate.port)
            response = ask(connection, shape, name, request)
            if response.get("Connection") == "close":
                connection.close()
                connection = None
            sent[name] = (shape, request, response)
        if connection:
            connection.close()
        for shape, request, response in list(sent.values())[:explained]:
            self.explain(config, shape, request, response)
        lines = self.lines(sent)
        for name, (shape, request, response) in sent.items():
            self.compare(config, shape, request, response, lines.get(name, {}))

    def explain(self, config, shape, request, response):
        """What `explain` says is what happened, as far as it can be told of the request."""
        [who, *others] = request.credentials
        if others or who.asked is None or request.is_preflight:
            return
        sources = [route.get("credentials_from", model.SOURCES) for route in config["routes"]]
        if who.is_ours and any(who.source not in looked for looked in sources):
            return
        arguments = list(who.asked)
        address = model.client_address("127.0.0.1", request.all("X-Forwarded-For"), config["trusted_proxies"])
        if address:
            arguments += ["--address", address]
        url = f"https://{request.host}{request.path}"
        result = self.gate.cli("explain", request.method, url, "--json", *arguments, check=False,
                               input=who.secret.removeprefix("Bearer "))
        verdict, reason = verdict_of(shape, response)
        expected = model.judge(config, request)
        about = (shape, request, (verdict, reason), json.dumps(config, ensure_ascii=False))
        if result.returncode:
            return self.differs("explain fails: " + result.stderr, *about)
        told = json.loads(result.stdout)
        wanted = verdict if verdict in ("allow", "sign_in", "step_up") else "deny"
        if (told["verdict"], told["reason"]) != (wanted, reason):
            self.differs(f"explain says {told['verdict']} ({told['reason']})", *about)
        elif verdict in model.STRICTNESS and expected[0].reasons is not None and (
                told["route"], told["rule"]) not in {(found.route, found.rule) for found in expected}:
            self.differs(f"explain names {told['route']}, {told['rule']}", *about)

    def lines(self, sent):
        """The lines of the access log, by request; a head that cannot be read has no id of its own."""
        wanted = {name for name, (_, _, response) in sent.items()
                  if "X-App" in response or response.get("X-Request-Id") == name}

        def look():
            with open(self.gate.log) as log:
                log.seek(self.logged)
                lines = [json.loads(line) for line in log.read().splitlines(True) if line.endswith("\n")]
            found = {line.get("request_id"): line for line in lines if line["message"] == "request"}
            return found if wanted <= found.keys() else None

        return eventually(look, 10, f"a log with {len(wanted)} requests")

    def compare(self, config, shape, request, response, line):
        expected = model.judge(config, request)
        about = (shape, request, response.status, expected, json.dumps(config, ensure_ascii=False))
        verdict, reason = verdict_of(shape, response)
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1
        expected = [found for found in expected if found.verdict == verdict]
        if not expected:
            return self.differs(f"the verdict is {verdict} ({reason})", *about)
        if verdict == "allow":
            return self.compare_allowed(shape, request, response, line, expected, about)
        if expected[0].reasons is None:
            return
        if reason not in set().union(*[found.reasons for found in expected]):
            self.differs(f"the reason is {reason}", *about)
        if response.status not in statuses(shape, request, verdict, reason):
            self.differs("the status is another", *about)
        if verdict in model.STRICTNESS:
            self.compare_place(line, expected, about)

    def compare_place(self, line, expected, about):
        place = (line.get("route"), line.get("rule"))
        if place not in {(found.route, None if found.rule is None else str(found.rule)) for found in expected}:
            self.differs(f"the log names {place}", *about)

    def compare_allowed(self, shape, request, response, line, expected, about):
        self.compare_place(line, expected, about)
        if shape != "inline":
            told = dict(response.headers)
        elif request.method == "HEAD":
            return
        else:
            seen = response.json()
            told = seen["headers"]
            if seen["target"] != request.path:
                self.differs(f"the app got {seen['target']}", *about)
        who = {(found.who.user or "", found.who.email, found.who.name, found.groups) for found in expected}
        user, email, name, groups = (told.get(header) for header in IDENTITY)
        if (user, email, name, frozenset(filter(None, (groups or "").split(",")))) not in who or groups is None:
            self.differs(f"the app is told {told}", *about)
        for credential in request.credentials:
            forwarded = "".join(told.get(header) or "" for header in CREDENTIALS)
            if credential.is_ours and not credential.label.startswith("jwt") and credential.secret in forwarded:
                self.differs(f"the app gets {credential.label}", *about)


def ask(connection, shape, name, request):
    method, host, path = request.method, request.host, request.path
    headers = request.headers + [header for credential in request.credentials for header in credential.headers]
    if shape == "nginx":
        headers += [("X-Original-URL", f"https://{host}{path}"), ("X-Original-Method", method)]
    elif shape not in ("inline", "envoy"):
        headers += [("X-Forwarded-Method", method), ("X-Forwarded-Host", host), ("X-Forwarded-Uri", path)]
    if shape == "envoy":
        path = "/.auth/check/envoy" + path
    elif shape != "inline":
        method, host, path = "HEAD" if shape == "haproxy" else "GET", "auth.example.com", f"/.auth/check/{shape}"
    connection.send(head(method, path, host, headers + [("X-Request-Id", name)]))
    return connection.read(method)


def verdict_of(shape, response):
    """(the model's word for it, the reason)."""
    reason = response.get("Gatehouse-Reason")
    if "X-App" in response if shape == "inline" else response.status == 200:
        return "allow", None
    words = {"no_route": "no_route", "path_refused": "refused", "method_refused": "refused",
             "sign_in_required": "sign_in", "factor_missing": "step_up", "too_old": "step_up"}
    if reason in words:
        return words[reason], reason
    if response.status == 400:
        return "refused", reason
    if reason == "credentials_disagree":
        return "refused" if response.status == 403 else "sign_in", reason
    return "bad" if str(reason).startswith(("credential_", "user_")) else "deny", reason


def statuses(shape, request, verdict, reason):
    """Those that may say so."""
    is_page = request.method in ("GET", "HEAD") and bool(request.all("Sec-Fetch-Mode"))
    if shape == "nginx":
        return {401} if verdict in ("sign_in", "bad", "step_up") else {403}
    if verdict in ("sign_in", "step_up") and is_page:
        return {303}
    # The page of a refusal is the portal's, and a check leads there.
    if verdict == "deny" and is_page and shape != "inline":
        return {303}
    if verdict == "no_route" and shape != "inline":
        return {403, 303} if is_page else {403}
    return {405 if reason == "method_refused" else STATUS[verdict]}


def hold(world, seed, configurations, requests):
    run = Run(world, seed)
    for _ in range(configurations):
        run.requests(requests, explained=4)
    print(run.count, run.verdicts)
    assert not run.differences, f"{len(run.differences)} differences\n" + "\n".join(run.differences[:10])
    assert set(run.verdicts) >= {"allow", "sign_in", "deny", "bad", "no_route", "refused"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_binary_agrees_with_the_model(world, seed):
    hold(world, seed, 12, 60)


@pytest.mark.long
def test_the_binary_agrees_with_the_model_at_length(world):
    hold(world, 4, 300, 200)
