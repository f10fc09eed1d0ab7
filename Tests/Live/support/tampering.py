"""A store as somebody changes it who has the data file and not the audit key: by the tools of LMDB, not by Gatehouse."""

import hashlib
import json
import os
import re
import subprocess

HEADER = 16
"""Bytes before every stored value."""


class Dump:
    """Everything in a data file; `audit` and `head` can be changed and written back."""

    def __init__(self, data):
        self.data = data
        text = subprocess.run(["mdb_dump", "-a", str(data)], capture_output=True, text=True, check=True).stdout
        self.tables = []
        rows, heading = [], []
        inside = False
        for line in text.splitlines():
            if not inside:
                heading.append(line)
                inside = line == "HEADER=END"
            elif line == "DATA=END":
                self.tables.append((heading, rows))
                rows, heading, inside = [], [], False
            else:
                rows.append(line)

    def rows(self, table):
        return next(rows for heading, rows in self.tables if f"database={table}" in heading)

    def write(self):
        text = "".join("\n".join([*heading, *rows, "DATA=END"]) + "\n" for heading, rows in self.tables)
        for name in ("data.mdb", "lock.mdb"):
            (self.data / name).unlink(missing_ok=True)
        subprocess.run(["mdb_load", str(self.data)], input=text, text=True, check=True, capture_output=True)
        os.chmod(self.data / "data.mdb", 0o600)

    @property
    def head(self):
        return json.loads(self.value("audit_head", 0)[HEADER:])

    @head.setter
    def head(self, head):
        value = self.value("audit_head", 0)[:HEADER]
        self.rows("audit_head")[1] = self.line(value + json.dumps(head, separators=(",", ":"), sort_keys=True).encode())

    def value(self, table, number):
        return bytes.fromhex(self.rows(table)[2 * number + 1].strip())

    @staticmethod
    def line(value):
        return " " + value.hex()

    def cut(self, count, keep_seal):
        """Takes the newest events away, and writes a head that fits."""
        audit = self.rows("audit")
        del audit[-2 * count:]
        head = self.head
        head["sequence"] -= count
        head["hash"] = hashlib.sha256(bytes.fromhex(audit[-1].strip())[HEADER:]).hexdigest()
        if not keep_seal:
            del head["seal"]
        self.head = head

    def rewrite(self, old, new, keep_seal):
        """Another text in the events, with a chain that fits."""
        audit = self.rows("audit")
        previous = None
        for index in range(1, len(audit), 2):
            value = bytes.fromhex(audit[index].strip())
            body = value[HEADER:].replace(old, new)
            if previous:
                body = re.sub(rb'"previous_hash":"[0-9a-f]+"', b'"previous_hash":"' + previous.encode() + b'"', body)
            previous = hashlib.sha256(body).hexdigest()
            audit[index] = self.line(value[:HEADER] + body)
        head = self.head
        head["hash"] = previous
        if not keep_seal:
            del head["seal"]
        self.head = head

    def empty(self):
        for table in ("audit", "audit_by_user", "audit_head"):
            self.rows(table).clear()
