"""A certificate authority of this installation's own, for TLS where nobody else vouches for a host.

    tls/authority.pem    what clients are told to believe; made once, lasts ten years
    tls/authority.key    readable by its owner alone
    tls/server.pem       the server's certificate; renewed before it ends, or when names change
    tls/server.key

The authority may only vouch for the names that the installation had when it was made (X.509 name
constraints), so that whoever steals its key cannot pass for anybody else's host.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cupola.http.server import ServerTls, TlsUnusable
from cupola.kit.clock import Clock

_AUTHORITY_DAYS: Final = 3650
_SERVER_DAYS: Final = 397
"""No more than browsers believe in."""
_RENEW_DAYS: Final = 30
_DNS: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_LEEWAY: Final = timedelta(hours=1)
"""Clocks of other machines may be behind."""


def ensure_certificate(folder: Path, names: Sequence[str], clock: Clock) -> ServerTls:
    """The server's certificate for `names` (hosts and addresses), made or renewed if need be."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = ServerTls(folder / "server.pem", folder / "server.key")
    now = datetime.fromtimestamp(clock.now(), UTC)
    authority, authority_key = _ensure_authority(folder, names, now)
    if not _serves(found.certificate, authority, names, now):
        key = generate_private_key(SECP256R1())
        made = _make_server(authority, authority_key, key, names, now)
        _write(found.key, _private(key), 0o600)
        _write(found.certificate, made + authority.public_bytes(Encoding.PEM), 0o644)
    return found


def list_names(host: str, domain: str) -> Sequence[str]:
    """What this machine is called: by itself, by others, and by the endpoints' domain."""
    names = ["localhost", "127.0.0.1", "::1"]
    if _DNS.fullmatch(name := socket.gethostname().lower()):
        names.append(name)
    if host not in ("0.0.0.0", "::"):
        names.append(host.lower())
    if domain:
        names += [domain, f"*.{domain}"]
    return list(dict.fromkeys(names))


def _ensure_authority(
    folder: Path, names: Sequence[str], now: datetime
) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    certificate, key = folder / "authority.pem", folder / "authority.key"
    if certificate.exists() and key.exists():
        known = x509.load_pem_x509_certificate(certificate.read_bytes())
        if _allows(known, names) and known.not_valid_after_utc > now + timedelta(days=_RENEW_DAYS):
            return known, _load(key)
    made_key = generate_private_key(SECP256R1())
    made = _make_authority(made_key, names, now)
    _write(key, _private(made_key), 0o600)
    _write(certificate, made.public_bytes(Encoding.PEM), 0o644)
    return made, made_key


def _make_authority(
    key: EllipticCurvePrivateKey, names: Sequence[str], now: datetime
) -> x509.Certificate:
    who = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Cupola on {socket.gethostname()}"[:64])]
    )
    constraints = x509.NameConstraints([_constrain(name) for name in names], None)
    return (
        _begin(who, who, key, now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _make_server(
    authority: x509.Certificate,
    authority_key: EllipticCurvePrivateKey,
    key: EllipticCurvePrivateKey,
    names: Sequence[str],
    now: datetime,
) -> bytes:
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    made = (
        _begin(who, authority.subject, key, now, _SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def _begin(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _serves(
    certificate: Path, authority: x509.Certificate, names: Sequence[str], now: datetime
) -> bool:
    """Whether the certificate on disk will do for some time to come."""
    if not certificate.exists():
        return False
    known = x509.load_pem_x509_certificate(certificate.read_bytes())
    found = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if set(found) != {_name(name) for name in names} or known.issuer != authority.subject:
        return False
    issuer = known.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    later = now + timedelta(days=_RENEW_DAYS)
    return issuer.key_identifier == own.digest and known.not_valid_after_utc > later


def _allows(authority: x509.Certificate, names: Sequence[str]) -> bool:
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = constraints.permitted_subtrees or []
    return all(_constrain(name) in permitted for name in names)


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _constrain(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name.removeprefix("*."))


def _private(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load(path: Path) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TlsUnusable(f"{path} is not a key that Cupola made. Remove the folder.")
    return key


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole, and closed to others from its first byte."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    draft.replace(path)
