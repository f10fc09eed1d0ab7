"""Gatehouse under test: a store with keys in it, and the servers that are started on it."""

import json
import subprocess
import sys
import zlib

from .processes import Service, free_port

DRAWN = 10_000
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Gate:
    """A store with keys in it, and the servers that are started on it."""

    def __init__(self, binary, folder, origin_port, key_set, workers=1, assertion=True, pair=None, more=None):
        self.binary = binary
        self.folder = folder
        folder.mkdir()
        (folder / "data").mkdir(mode=0o700)
        self.config = folder / "gatehouse.yaml"
        self.origin_url = f"http://127.0.0.1:{origin_port}"
        self.port, self.monitor = free_port(), free_port()
        self.secure_port = free_port() if pair else None
        rules = [{"paths": ["/jwt/**"], "allow": "signed_in"}, {"allow": {"groups": ["staff", "corp:staff"]}}]
        listeners = [{"address": f"127.0.0.1:{self.port}"}]
        if pair:
            listeners.append({"address": f"127.0.0.1:{self.secure_port}",
                              "tls": {"certificates": [{"certificate": str(pair[0]), "private_key": str(pair[1])}]}})
        self.config.write_text(json.dumps({
            "public_url": "http://auth.example.com",
            "listen": listeners,
            "monitor_listen": f"127.0.0.1:{self.monitor}",
            "data_dir": "data",
            "workers": str(workers),
            "trusted_proxies": ["127.0.0.1"],
            "log": {"format": "json", "level": "warning", "requests": "none"},
            "identity_headers": {"preset": "remote", "assertion": assertion},
            "upstreams": {"app": {"url": [self.origin_url]}},
            "sessions": {"cookie": {"domain": "example.com"}},
            "limits": {"exempt_networks": ["10.0.0.0/8"]},
            "login": {"lockout": {"failures": 1000}},
            "routes": [{"name": "app", "upstream": "app", "rules": rules}],
            "jwt": {"issuers": [{"id": "corp", "issuer": "https://idp.example.com", "audiences": ["app"],
                                 "jwks_file": str(key_set), "algorithms": ["RS256", "ES256"]}]},
        } | (more or {})))
        self.run("keygen", "--out", folder / "master.key", config=False)
        self.run("user", "add", "mary@example.com", "--username", "mary", "--name", "Mary Major", "--groups", "staff")

    def run(self, *arguments, config=True, input=None):
        command = [self.binary, *map(str, arguments)] + (["--config", str(self.config)] if config else [])
        result = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, input=input)
        if result.returncode:
            sys.exit(f"{' '.join(map(str, arguments))}: {result.stderr or result.stdout}")
        return result.stdout

    def add_keys(self, count):
        """Puts `count` keys of mary into the store and leaves up to 10,000 of them in a file; returns the file."""
        if count == 1:
            keys = [json.loads(self.run("api-key", "create", "--user", "mary", "--name", "compare", "--json"))["key"]]
        else:
            keys = [made_up_key(number) for number in range(count)]
            insert_keys(self, keys)
        drawn = self.folder / "keys"
        step = max(1, count // DRAWN)
        drawn.write_text("".join(key + "\n" for key in keys[::step][:DRAWN]))
        return drawn

    def serve(self, name, cache=True):
        environment = {} if cache else {"GATEHOUSE_IDENTITY_CACHE": "0"}
        return Service(name, [self.binary, "serve", "--config", self.config], self.port,
                       f"http://127.0.0.1:{self.monitor}/readyz", self.folder, environment, self.secure_port)


def made_up_key(number):
    """A key by the documented shape; the body is the number in base 62, spread by a fixed multiplier."""
    value, body = number * 0x9E3779B97F4A7C15 % (1 << 64), ""
    for _ in range(43):
        value, digit = divmod(value, 62)
        body += ALPHABET[digit]
        if value == 0:
            value = number + len(body) * 1_000_003
    head = "gate_" + body
    checksum, digits = zlib.crc32(head.encode()), ""
    for _ in range(6):
        checksum, digit = divmod(checksum, 62)
        digits = ALPHABET[digit] + digits
    return head + digits


def insert_keys(gate, keys):
    """Inserts keys of mary in bulk: the hidden command reads one a line."""
    gate.run("api-key", "import", "--user", "mary", "--name", "compare", input="\n".join(keys) + "\n")
