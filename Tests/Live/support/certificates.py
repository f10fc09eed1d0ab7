"""Certificates made for one test by `cryptography`: an authority, and what it issues."""

import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def replace(path, data, mode=0o644):
    """Puts `data` in the place of a file in one step, as those who renew certificates do."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    os.chmod(new, mode)
    os.replace(new, path)


class Pair:
    """A certificate and its key, as files."""

    def __init__(self, folder, name, certificate, key):
        self.certificate = folder / f"{name}.crt"
        self.key = folder / f"{name}.key"
        self.serial = certificate.serial_number
        self.certificate_pem = certificate.public_bytes(serialization.Encoding.PEM)
        self.key_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        replace(self.certificate, self.certificate_pem)
        replace(self.key, self.key_pem, 0o600)

    @property
    def settings(self):
        return {"certificate": str(self.certificate), "private_key": str(self.key)}

    def server_context(self, client_ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        return context


class Authority:
    def __init__(self, folder, name="authority"):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"{name} of a test")
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder().subject_name(self._name).issuer_name(self._name)
            .public_key(self._key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = folder / f"{name}.crt"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, file, *names, kind="ec", days=10, since=-1, client=False, subject=None, emails=(), seconds=None):
        """`days` and `since` are counted from today, `seconds` from now; names that are addresses become such.
        `subject`: in place of a common name of `file`."""
        key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
        now = datetime.datetime.now(datetime.timezone.utc)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = (
            x509.CertificateBuilder().subject_name(_name(file) if subject is None else subject).issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=since))
            .not_valid_after(now + (datetime.timedelta(days=days) if seconds is None
                                    else datetime.timedelta(seconds=seconds)))
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if names or emails:
            general = [self._general_name(name) for name in names] + [x509.RFC822Name(email) for email in emails]
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        return Pair(self.folder, file, builder.sign(self._key, hashes.SHA256()), key)

    @staticmethod
    def _general_name(name):
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    def client_context(self):
        """Trusts this authority and nobody else; says so when a connection ends without a goodbye."""
        context = ssl.create_default_context(cafile=self.certificate)
        return context
