"""Headers of the PROXY protocol, version 2, written by hand."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def header(source=None, port=4711, command=1, family=None, payload=None, tail=b""):
    """For the client `source`; without one, of the proxy itself (LOCAL). `tail`: TLVs."""
    if payload is None:
        if source is None:
            command, family, payload = 0, 0, b""
        else:
            address = ipaddress.ip_address(source)
            family = 0x11 if address.version == 4 else 0x21
            other = ipaddress.ip_address("192.0.2.254" if address.version == 4 else "2001:db8::fe")
            payload = address.packed + other.packed + struct.pack("!HH", port, 443)
    payload += tail
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(payload)) + payload
