"""Matching and verdicts written a second time, from what is promised outside and not from the program: what the random
tests hold the binary against. The bytes of a path are text in latin-1, so that each is one character."""

import functools
import ipaddress
import itertools
import re
from dataclasses import dataclass, field

SOURCES = ["key", "authorization", "cookie"]
STRICTNESS = {"allow": 0, "sign_in": 1, "step_up": 2, "deny": 3, "bad": 3}
FAILURE = {"users": "rule_denied", "groups": "group_missing", "scopes": "scope_missing", "credentials": "rule_denied",
           "factors": "factor_missing", "max_age": "too_old"}


class Refused(Exception):
    """Answered with 400: the path cannot be judged, or two credentials are there."""


# Paths

SLASH, BACKSLASH = "\ue02f", "\ue05c"  # what `%2f` and `%5c` are until a reading says what they mean


def unescape(path):
    bad = r"%(?![0-9A-Fa-f]{2})|%25(2[eEfF]|5[cC]|00)|%([01]|7[fF])|[\\#\x00-\x20\x7f-\uffff]"
    if not path.startswith("/") or re.search(bad, path):
        raise Refused
    return re.sub(r"%(..)", lambda match: {0x2f: SLASH, 0x5c: BACKSLASH}.get(int(match[1], 16), chr(int(match[1], 16))),
                  path)


def readings(path):
    """(each way to read a path, as segments; the switches of `keep_in_path` that it takes)."""
    text = unescape(path)
    switches = {name for name, mark in (("encoded_slash", SLASH), ("encoded_backslash", BACKSLASH)) if mark in text}
    found = set()
    for keeps, slash, backslash in itertools.product((True, False), (SLASH, "/"), (BACKSLASH, "/")):
        parts = text.replace(SLASH, slash).replace(BACKSLASH, backslash)[1:].split("/")
        bare = [part.split(";")[0] for part in parts]
        if "." in bare or ".." in bare:
            raise Refused
        segments = [part.replace(SLASH, "/").replace(BACKSLASH, "\\") for part in (parts if keeps else bare)]
        if segments[-1] == "":
            segments.pop()
        if "" in segments:
            switches.add("empty_segment")
        found |= {tuple(segments), tuple(filter(None, segments))}
    return found, switches


def fold(text):
    return text.encode("latin-1").decode("utf-8", "surrogateescape").upper().lower().casefold()


@functools.lru_cache(None)
def segment_glob(pattern, ignores_case):
    text = fold(pattern) if ignores_case else pattern
    return re.compile("".join(".*" if character == "*" else re.escape(character) for character in text), re.DOTALL)


def glob(pattern, segments, ignores_case=False):
    parts = pattern.encode().decode("latin-1").rstrip("/").split("/")[1:]

    def fits(part, segment):
        return segment_glob(part, ignores_case).fullmatch(fold(segment) if ignores_case else segment) is not None

    def match(parts, segments):
        if not parts:
            return not segments
        if parts[0] == "**":
            return any(match(parts[1:], segments[count:]) for count in range(len(segments) + 1))
        return bool(segments) and fits(parts[0], segments[0]) and match(parts[1:], segments[1:])

    return match(parts, segments)


# Hosts and addresses

def host_name(text):
    name = re.sub(r":\d*$", "", text).lower()
    return name.removesuffix(".").encode("idna").decode()


def host_fits(pattern, name):
    if pattern.startswith("*."):
        return name.endswith("." + host_name(pattern[2:]))
    return name == host_name(pattern)


def address_of(text):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def within(address, networks):
    return address is not None and any(address in ipaddress.ip_network(network) for network in networks)


def client_address(peer, forwarded, trusted):
    """The right-most that is no trusted proxy; None: not known."""
    entries = [entry.strip(" \t") for line in forwarded for entry in line.split(",")]
    address = address_of(peer)
    while within(address, trusted):
        address = address_of(entries.pop()) if entries else None
    return address


# Credentials

@dataclass(eq=False)
class Credential:
    label: str
    headers: list
    # session, api_key or jwt; None where it proves nobody.
    kind: str = None
    user: str = None
    groups: frozenset = frozenset()
    # None: it carries none.
    scopes: frozenset = None
    factors: frozenset = frozenset()
    # Seconds since the sign-in; None where that is not known.
    age: float = None
    # Why it is refused, where it is ours and no good.
    bad: str = None
    bounds: dict = field(default_factory=dict)
    source: str = None
    email: str = ""
    name: str = ""
    # What it comes down to, wherever it stands: two headers with the same are one.
    secret: str = ""
    # The arguments by which `explain` is asked about it; None: it cannot be.
    asked: list = None

    @property
    def is_ours(self):
        return self.kind is not None or self.bad is not None


NOBODY = Credential("nobody", [], asked=[])


def conflicts(credentials):
    """Two headers of ours differ."""
    return len({who.secret for who in credentials if who.is_ours and who.source != "cookie"}) > 1


def seen(route, credentials):
    """Who decides on this route: the first that is ours, of key headers, `Authorization` and cookies."""
    sources = route.get("credentials_from", SOURCES)
    ours = [credential for credential in credentials if credential.is_ours and credential.source in sources]
    if conflicts(ours):
        raise Refused
    return min(ours, key=lambda credential: SOURCES.index(credential.source), default=NOBODY)


# Rules

def listed(value):
    return value if isinstance(value, list) else [value]


def seconds(text):
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]]


def covers(methods, method):
    return method in methods or method == "HEAD" and "GET" in methods


def lacking(conditions, who):
    """The keys of a map that do not hold."""
    tests = {
        "users": lambda: who.user.casefold() in [user.casefold() for user in conditions["users"]],
        "groups": lambda: bool(who.groups & set(conditions["groups"])),
        "scopes": lambda: set(conditions["scopes"]) <= (who.scopes or set()),
        "credentials": lambda: who.kind in conditions["credentials"],
        "factors": lambda: str(conditions["factors"]) in who.factors,
        "max_age": lambda: who.age is not None and who.age <= seconds(conditions["max_age"]),
    }
    return {key for key in conditions if not tests[key]()}


def allowed(allow, who):
    """(verdict, the reasons that may be given)."""
    if allow == "everyone":
        return "allow", set()
    if who.kind is None:
        return ("bad", {who.bad}) if who.bad else ("sign_in", {"sign_in_required", "credentials_disagree"})
    failures = []
    for conditions in [{}] if allow == "signed_in" else listed(allow):
        lacks = lacking(conditions, who)
        # A key that carries scopes passes only what names one of them.
        if who.kind == "api_key" and who.scopes is not None and not who.scopes & set(conditions.get("scopes", [])):
            lacks.add("scopes")
        failures.append(lacks)
    if set() in failures:
        return "allow", set()
    curable = [lacks for lacks in failures if lacks <= {"factors", "max_age"}]
    return ("step_up" if curable else "deny"), {FAILURE[key] for lacks in curable or failures for key in lacks}


def is_denied(deny, who):
    if deny == "everyone":
        return True
    return who.kind is not None and any(not lacking(conditions, who) for conditions in listed(deny))


# Requests

@dataclass(repr=False)
class Request:
    method: str
    host: str
    # With its query, as it goes out.
    path: str
    headers: list = field(default_factory=list)
    credentials: list = field(default_factory=list)

    def __repr__(self):
        return f"{self.method} {self.host} {self.path} {self.headers} {[who.label for who in self.credentials]}"

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    @property
    def is_preflight(self):
        return bool(self.all("Origin") and self.all("Access-Control-Request-Method"))


@dataclass(repr=False)
class Answer:
    """`verdict` is allow, sign_in, step_up, deny, bad (a credential that is refused), no_route or refused (400).
    `reasons` is None where any will do, on any route."""
    verdict: str
    reasons: set
    route: str = None
    rule: int = None
    who: Credential = NOBODY
    # Those that the app is told.
    groups: frozenset = frozenset()

    def __repr__(self):
        return f"<{self.verdict} {self.reasons} {self.route} {self.rule} {self.who.label}>"


def rules_of(config, route):
    rules = route["rules"]
    return config["rule_sets"][rules] if isinstance(rules, str) else rules


def shown(route, who):
    globs = route.get("groups_shown", ["*"])
    return frozenset(group for group in who.groups if any(segment_glob(text, False).fullmatch(group) for text in globs))


def matches(rule, request, method, segments, address, ignores_case):
    return (
        ("paths" not in rule or any(glob(pattern, segments, ignores_case) for pattern in rule["paths"]))
        and ("methods" not in rule or covers(rule["methods"], method))
        and ("networks" not in rule or within(address, rule["networks"]))
        and (not rule.get("preflight") or method == "OPTIONS" and request.is_preflight))


def judge_reading(config, request, method, segments, switches, address):
    name = host_name(request.host)
    for route in config["routes"]:
        ignores_case = route.get("ignore_path_case", False)
        if (any(host_fits(host, name) for host in route["host"]) if "host" in route else True) and any(
                glob(pattern, segments, ignores_case) for pattern in route.get("paths", ["/**"])):
            break
    else:
        return Answer("no_route", {"no_route"})
    if not switches <= set(route.get("keep_in_path", [])):
        raise Refused
    who = seen(route, request.credentials)
    bounds = who.bounds
    if ("routes" in bounds and route["name"] not in bounds["routes"]
            or "networks" in bounds and not within(address, bounds["networks"])
            or "methods" in bounds and not covers(bounds["methods"], method)):
        return Answer("deny", {"key_restricted"}, route["name"], None, who)
    for index, rule in enumerate(rules_of(config, route)):
        if rule.get("shadow") or not matches(rule, request, method, segments, address, ignores_case):
            continue
        if "allow" in rule:
            verdict, reasons = allowed(rule["allow"], who)
            return Answer(verdict, reasons, route["name"], index, who, shown(route, who))
        if is_denied(rule["deny"], who):
            return Answer("deny", {"rule_denied"}, route["name"], index, who)
    return Answer("bad" if who.bad else "deny", {who.bad or "no_rule"}, route["name"], None, who)


def judge(config, request, peer="127.0.0.1"):
    """The answers that may be given: the strictest of all readings, several where they are equally strict, or where one
    has no route."""
    if request.method in ("CONNECT", "TRACE"):
        return [Answer("refused", {"method_refused"})]
    refused = Answer("refused", {"path_refused", "credentials_disagree"})
    address = client_address(peer, request.all("X-Forwarded-For"), config.get("trusted_proxies", []))
    answers = []
    try:
        every, switches = readings(request.path.split("?")[0])
    except Refused:
        return [refused]
    for segments in every:
        for method in {request.method, request.method.upper()}:
            try:
                answers.append(judge_reading(config, request, method, segments, switches, address))
            except Refused:
                answers.append(refused)
    sources = {frozenset(route.get("credentials_from", SOURCES)) for route in config["routes"]
               if route["name"] in {answer.route for answer in answers}}
    if len(sources) > 1 and any(answer.verdict != "allow" for answer in answers):
        # Where a credential is looked for is the first reading's to say; that nobody gets in is everybody's.
        return [Answer(verdict, None) for verdict in ("sign_in", "step_up", "deny", "bad", "no_route", "refused")]
    outside = [answer for answer in answers if answer.verdict not in STRICTNESS]
    if outside and (switches or conflicts(request.credentials)):
        outside.append(refused)
    inside = [answer for answer in answers if answer.verdict in STRICTNESS]
    worst = 3 if outside else max(STRICTNESS[answer.verdict] for answer in inside)
    return outside + [answer for answer in inside if STRICTNESS[answer.verdict] == worst]
