"""Random routes, rules and requests for the model: few names, so that rules overlap, and requests made to meet them."""

import random
import string

from support.contract_model import Request, rules_of

SEGMENTS = [
    "a", "b", "ab", "A", "a.b", "é", "É", "ß", "ſ", "x y", "admin", "public", "a+b", "~", "!$", "a:b", "a,b", "(x)",
    "%", "a;b", "#", "k", "K", "ﬁ", "İ", "1", "-", "_",
]
GLOBS = [
    "a", "b", "ab", "A", "*", "**", "**", "a*", "*b", "a*b", "*.b", "é", "É*", "ß", "admin", "public", "*a*", "x y",
    "*.*", "s", "k", "SS", "fi", "a+b", "1",
]
HOSTS = [
    "app.example.com", "b.example.com", "*.example.com", "x.w.example.com", "*.w.example.com", "bücher.example.com",
    "App.Example.COM", "y.x.w.example.com",
]
METHODS = [
    "GET", "HEAD", "POST", "OPTIONS", "DELETE", "PUT", "PATCH", "PROPFIND", "M-SEARCH", "get", "Get", "delete",
    "options",
]
NETWORKS = [
    "203.0.113.0/24", "203.0.113.7/32", "198.51.100.0/25", "2001:db8::/32", "2001:db8:0:1::/64", "::/0",
    "203.0.112.0/23", "128.0.0.0/1",
]
ADDRESSES = [
    "203.0.113.7", "203.0.113.8", "198.51.100.1", "198.51.100.200", "2001:db8:0:1::5", "2001:DB8::1",
    "::ffff:203.0.113.7", "192.0.2.1", "bogus", "", "unknown", "10.9.1.1", "203.0.113.256", "127.0.0.1", "2001:db8::g",
    "::1",
]
GROUPS = [
    "staff", "admins", "bots", "corp:staff", "corp:admins", "x/y:z", "Staff", "nobody",
]
USERS = [
    "mary", "ADAM", "otto", "OTTO", "corp:lena", "zoe", "bot", "tess", "pia", "lena", "Mary",
]
SWITCHES = ["encoded_slash", "encoded_backslash", "empty_segment"]
PLAIN = set(string.ascii_letters + string.digits + "-._~!$&'()*+,:@=;")
# What is put behind a segment, and what in its place.
BEHIND = [
    ";", ";x", ";a=b", ";v=1.2;w", ";%2fa", ";a%5cb", ";%61", "%3b", "%3bx", "%2541", "%25", "%252f", "%255C", "%2500",
    "%00", "%7f", "%1f", "%zz", "%4", "%23x", "%3fx", "%c3%28", "%ff", "%25252f", "\\", "%0a", "%e2%84%aa", "%c5%bf",
    "%2f", "%2F", "%5c",
]
INSTEAD = [
    "..", "%2e%2e", ".%2E", "..;x", "%2e;", ".;..", "...", "..%2f", "%252e%252e", ".", "%2e", ".;a=b", "%2E%3bx", "",
    "", ";x",
]
QUERIES = ["?", "?a=/admin", "?/../x", "?a%2f..", "?;x//"]


class RandomRules:
    def __init__(self, seed, credentials):
        self.random = random.Random(seed)
        self.credentials = credentials

    def chance(self, share):
        return self.random.random() < share

    def some(self, values, most):
        return self.random.sample(values, self.random.randint(1, most))

    # Configurations

    def config(self):
        routes, rule_sets = [], {}
        for index in range(self.random.choice([1, 1, 2, 2, 3, 4, 5])):
            rules = [self.rule() for _ in range(self.random.choice([0, 1, 2, 3, 3, 4, 5, 6]))]
            if self.chance(.7):
                rules.append({"allow": self.allow()})
            route = {"name": f"r{index}", "upstream": "raw", "rules": rules}
            if self.chance(.85):
                route["host"] = self.some(HOSTS, 2)
            if self.chance(.25):
                route["paths"] = [self.glob() for _ in range(self.random.choice([1, 1, 2]))]
            if self.chance(.3):
                route["keep_in_path"] = self.some(SWITCHES, 3)
            if self.chance(.25):
                route["ignore_path_case"] = True
            if self.chance(.15):
                route["groups_shown"] = self.some(["*", "a*", "*s", "corp:*", "staff", "*:*"], 2)
            if self.chance(.2):
                route["credentials_from"] = self.some(["cookie", "key", "authorization"], 3)
            if rules and self.chance(.15):
                rule_sets[f"set{index}"] = rules
                route["rules"] = f"set{index}"
            elif rule_sets and self.chance(.3):
                route["rules"] = self.random.choice(sorted(rule_sets))
            routes.append(route)
        trusted = self.random.choice([["127.0.0.1"], ["127.0.0.1", "10.9.0.0/16", "192.0.2.1"]])
        return {"routes": routes, "rule_sets": rule_sets, "trusted_proxies": trusted}

    def glob(self):
        parts = [self.random.choice(GLOBS) for _ in range(self.random.choice([0, 1, 1, 2, 2, 2, 3, 3, 4]))]
        if parts and self.chance(.4):
            parts[-1] = "**"
        parts = [part for index, part in enumerate(parts) if index == 0 or part != "**" or parts[index - 1] != "**"]
        return "/" + "/".join(parts) + ("/" if parts and self.chance(.05) else "")

    def conditions(self):
        values = {
            "users": lambda: self.some(USERS, 3), "groups": lambda: self.some(GROUPS, 3),
            "scopes": lambda: self.some(["r", "w"], 2), "factors": lambda: self.random.choice([2, "passkey"]),
            "max_age": lambda: self.random.choice(["1s", "12h"]),
            "credentials": lambda: self.some(["session", "api_key", "jwt"], 3),
        }
        keys = ["users", "groups", "groups", "scopes", "factors", "max_age", "credentials"]
        return {key: values[key]() for key in self.some(keys, 3)}

    def allow(self):
        kind = self.random.random()
        if kind < .4:
            return "everyone" if kind < .25 else "signed_in"
        return self.conditions() if kind < .8 else [self.conditions() for _ in range(self.random.randint(1, 3))]

    def rule(self):
        rule = {}
        if self.chance(.75):
            rule["paths"] = [self.glob() for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        if self.chance(.06):
            rule["preflight"] = True
        elif self.chance(.25):
            rule["methods"] = self.some([method for method in METHODS if method.isupper()], 3)
        if self.chance(.15):
            rule["networks"] = self.some(NETWORKS, 2)
        if self.chance(.8):
            rule["allow"] = self.allow()
        else:
            maps = [self.conditions() for _ in range(self.random.choice([1, 1, 2]))]
            rule["deny"] = "everyone" if self.chance(.4) else maps
        if self.chance(.07):
            rule["shadow"] = True
        return rule

    # Requests

    def request(self, config, route=None, rule=None):
        """A request that one of the rules may be meant for."""
        route = route or self.random.choice(config["routes"])
        rule = rule or self.random.choice(rules_of(config, route) or [{}])
        globs = route["paths"] if "paths" in route and self.chance(.3) else rule.get("paths", route.get("paths", []))
        methods = rule.get("methods") if self.chance(.7) else None
        method = self.random.choice(methods or (METHODS if self.chance(.4) else ["GET"]))
        if method == "GET" and self.chance(.1):
            method = "HEAD"
        headers = []
        if rule.get("preflight") or self.chance(.05):
            method = "OPTIONS" if self.chance(.9) else method
            preflight = [("Origin", "https://x.example.com"), ("Access-Control-Request-Method", "PUT")]
            headers += preflight if self.chance(.9) else preflight[:1]
        headers += self.forwarded(rule.get("networks"))
        if self.chance(.1):
            headers += [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
        credentials = [self.random.choice(self.credentials)]
        second = self.random.choice(self.credentials)
        if self.chance(.15) and not {name for name, _ in second.headers} & {name for name, _ in credentials[0].headers}:
            credentials.append(second)
        return Request(method, self.host(route.get("host")), self.path(globs), headers, credentials)

    def forwarded(self, networks):
        if not self.chance(.85):
            return []
        entries = [self.random.choice(ADDRESSES) for _ in range(self.random.choice([1, 1, 2, 3]))]
        if networks and self.chance(.6):
            entries[-1] = self.random.choice(networks).split("/")[0]
        lines = [[entries.pop(0)], entries] if len(entries) > 1 and self.chance(.2) else [entries]
        return [("X-Forwarded-For", self.random.choice([", ", ",", " ,"]).join(line)) for line in lines]

    def host(self, hosts):
        pool = hosts if hosts and self.chance(.93) else HOSTS + ["other.example.org", "example.com"]
        host = self.random.choice(pool).replace("*", self.random.choice(["q", "app", "b", "p.q", "x.w", "w"]))
        host = host.encode("idna").decode()
        if self.chance(.1):
            host = host.swapcase()
        return host + ("." if self.chance(.08) else "") + self.random.choice([""] * 9 + [":80", ":8443"])

    def path(self, globs):
        if globs and self.chance(.92):
            segments = self.fill(self.random.choice(globs))
        else:
            segments = [self.random.choice(SEGMENTS) for _ in range(self.random.randint(0, 4))]
        if segments and self.chance(.15):
            segments[self.random.randrange(len(segments))] = self.random.choice(SEGMENTS)
        if self.chance(.1):
            segments.insert(self.random.randint(0, len(segments)), self.random.choice(SEGMENTS))
        if self.chance(.1):
            segments = [segment.swapcase() for segment in segments]
        parts = [self.escape(segment) for segment in segments]
        for _ in range(self.random.choice([0] * 7 + [1, 1, 2])):
            self.spoil(parts)
        slash = "/" if self.chance(.12) else ""
        return "/" + "/".join(parts) + slash + (self.random.choice(QUERIES) if self.chance(.12) else "")

    def fill(self, glob):
        segments = []
        for part in glob.split("/")[1:]:
            if part == "**":
                segments += [self.random.choice(SEGMENTS) for _ in range(self.random.choice([0, 0, 1, 2]))]
            else:
                run = self.random.choice(["", "a", "x", "b.b", "."])
                segments.append(part.replace("*", run) or "b")
        return segments

    def escape(self, segment):
        def one(byte):
            if chr(byte) in PLAIN and not self.chance(.06):
                return chr(byte)
            return f"%{byte:02x}" if self.chance(.5) else f"%{byte:02X}"
        return "".join(map(one, segment.encode()))

    def spoil(self, parts):
        """Something that has another reading, or that is refused."""
        place = self.random.randrange(len(parts) + 1)
        kind = self.random.random()
        if kind < .3 or not parts:
            parts.insert(place, self.random.choice(INSTEAD))
        elif kind < .5 and place + 1 < len(parts):
            separator = self.random.choice(["%2f", "%2F", "%5c", "%5C"])
            parts[place:place + 2] = [parts[place] + separator + parts[place + 1]]
        elif kind < .6:
            parts[place - 1] = ";" + parts[place - 1]
        else:
            parts[place - 1] += self.random.choice(BEHIND)
