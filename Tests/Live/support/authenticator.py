"""A passkey in software: messages made by `fido2`, keys by `cryptography`. Every part of an answer can be made wrong."""

import base64
import datetime
import hashlib
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from fido2.cose import ES256, RS256, EdDSA
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    def __init__(self, origin, rp_id, algorithm=-7, verifies=True):
        self.origin, self.rp_id, self.algorithm = origin, rp_id, algorithm
        self.flags = UP | (UV if verifies else 0)
        self.counter = 0
        self.user = None
        self.id = os.urandom(32)
        if algorithm == -7:
            self.key = ec.generate_private_key(ec.SECP256R1())
            self.public = ES256.from_cryptography_key(self.key.public_key())
        elif algorithm == -8:
            self.key = ed25519.Ed25519PrivateKey.generate()
            self.public = EdDSA.from_cryptography_key(self.key.public_key())
        else:
            self.key = rsa.generate_private_key(65537, 2048)
            self.public = RS256.from_cryptography_key(self.key.public_key())

    def sign(self, data, key=None):
        key = key or self.key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(hashes.SHA256()))
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return key.sign(data)

    def client_data(self, kind, options, origin=None, challenge=None, cross_origin=False, type=None):
        return bytes(CollectedClientData.create(
            type or kind, decode(options["challenge"] if challenge is None else challenge), origin or self.origin, cross_origin=cross_origin))

    def head(self, rp_id=None, flags=None, counter=None, credential=None):
        value = self.flags if flags is None else flags
        return bytes(AuthenticatorData.create(
            hashlib.sha256((rp_id or self.rp_id).encode()).digest(), value | (AT if credential else 0),
            self.counter if counter is None else counter, credential or b""))

    def create(self, options, form="none", public=None, spoil=None, **wrong):
        heads = {name: wrong.pop(name) for name in ("rp_id", "flags", "counter") if name in wrong}
        client_data = self.client_data("webauthn.create", options, **wrong)
        credential = AttestedCredentialData.create(b"\0" * 16, self.id, public or self.public)
        head = self.head(credential=credential, **heads)
        digest = hashlib.sha256(client_data).digest()
        statement = {}
        if form == "packed":
            statement = {"alg": self.algorithm, "sig": self.sign(head + digest)}
        elif form == "packed-x5c":
            key, certificate = batch()
            statement = {"alg": -7, "sig": self.sign(head + digest, key), "x5c": [certificate]}
        elif form == "fido-u2f":
            key, certificate = batch()
            point = self.key.public_key().public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
            statement = {"sig": self.sign(b"\0" + head[:32] + digest + self.id + point, key), "x5c": [certificate]}
        if spoil:
            statement = spoil(statement)
        self.user = decode(options["user"]["id"])
        made = AttestationObject.create(form.removesuffix("-x5c"), AuthenticatorData(head), statement)
        return {"id": encode(self.id), "rawId": encode(self.id), "type": "public-key",
                "response": {"clientDataJSON": encode(client_data), "attestationObject": encode(bytes(made)),
                             "transports": ["internal", "<b>"]}}

    def get(self, options, signature=None, user=None, id=None, **wrong):
        heads = {name: wrong.pop(name) for name in ("rp_id", "flags", "counter") if name in wrong}
        self.counter += 1
        client_data = self.client_data("webauthn.get", options, **wrong)
        head = self.head(**heads)
        signed = signature or self.sign(head + hashlib.sha256(client_data).digest())
        return {"id": encode(id or self.id), "rawId": encode(id or self.id), "type": "public-key",
                "response": {"clientDataJSON": encode(client_data), "authenticatorData": encode(head),
                             "signature": encode(signed), "userHandle": encode(user or self.user)}}


def batch():
    """The key and the certificate of a maker."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "AT"),
                      x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation"),
                      x509.NameAttribute(NameOID.COMMON_NAME, "maker")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).sign(key, hashes.SHA256()))
    return key, certificate.public_bytes(serialization.Encoding.DER)
