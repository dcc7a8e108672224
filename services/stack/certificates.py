"""A small certificate authority for this machine: browsers demand TLS of a phone that is to try the app.

The authority can vouch for this machine and private addresses only: a phone that trusts it is not at the
mercy of whoever takes its key.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.bootstrap.files import write_private

OWN = ("localhost", "127.0.0.1")
# Those of RFC 1918, of links, of this machine, and those that carriers and private overlays share (RFC 6598).
PRIVATE = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
AUTHORITY_DAYS, SERVER_DAYS, RENEW_DAYS = 825, 90, 30
# The clock of a phone may be behind.
BACKDATED = timedelta(hours=1)
# An address of the documentation range: a datagram socket that is connected there sends nothing.
OUTSIDE = ("192.0.2.1", 9)


@dataclass(frozen=True, slots=True)
class Made:
    """Where the files are."""

    authority: Path
    certificate: Path
    key: Path


def names() -> list[str]:
    """Returns every name and private address of this machine, its own name for itself first."""
    host = socket.gethostname().lower()
    found = [*OWN, host, f"{host}.local"] if _is_name(host) else [*OWN]
    return list(dict.fromkeys([*found, *sorted(_addresses(host))]))


def ensure(keys: Path, authority: str, wanted: Sequence[str]) -> Made:
    """Returns a certificate for `wanted` under the authority in `keys`, each made anew where it must be.

    Args:
        keys: the folder that holds them.
        authority: file name of the authority's certificate.
        wanted: names and addresses.
    """
    made = Made(keys / authority, keys / "edge.pem", keys / "edge.key")
    authority_key = made.authority.with_suffix(".key")
    if not (authority_key.exists() and _is_good(made.authority)):
        _make_authority(made.authority, authority_key)
        made.certificate.unlink(missing_ok=True)
    if not (made.key.exists() and _is_good(made.certificate) and _names_in(made.certificate) == set(wanted)):
        _make_server(made, authority_key, wanted)
    return made


def _is_name(host: str) -> bool:
    return all(part.isalnum() for part in host.replace("-", "").split(".")) and host.isascii()


def _addresses(host: str) -> set[str]:
    found: set[str] = set()
    with contextlib.suppress(OSError):
        found.update(str(info[4][0]) for info in socket.getaddrinfo(host, None, socket.AF_INET))
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(OUTSIDE)
        found.add(str(probe.getsockname()[0]))
    private = [ipaddress.ip_network(network) for network in PRIVATE]
    return {address for address in found if any(ipaddress.ip_address(address) in each for each in private)}


def _is_good(certificate: Path) -> bool:
    if not certificate.exists():
        return False
    until = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return until > datetime.now(UTC) + timedelta(days=RENEW_DAYS)


def _names_in(certificate: Path) -> set[str]:
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    return {
        str(name.value)
        for name in loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    }


def _make_authority(certificate: Path, key_file: Path) -> None:
    key = _new_key(key_file)
    name = _called("Meldbrug, this machine")
    permitted: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_network(each)) for each in PRIVATE]
    host = socket.gethostname().lower()
    permitted += [x509.DNSName(each) for each in ("localhost", "local", *([host] if _is_name(host) else []))]
    built = (
        _begun(name, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    _write(certificate, built.sign(key, hashes.SHA256()))


def _make_server(made: Made, authority_key: Path, wanted: Sequence[str]) -> None:
    key = _new_key(made.key)
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    signer = serialization.load_pem_private_key(authority_key.read_bytes(), None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is made here")
    built = (
        _begun(_called("Meldbrug"), authority.subject, key, SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in wanted]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    _write(made.certificate, built.sign(signer, hashes.SHA256()))


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _new_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    write_private(file, key.private_bytes(serialization.Encoding.PEM, *form).decode())
    return key


def _write(file: Path, certificate: x509.Certificate) -> None:
    write_private(file, certificate.public_bytes(serialization.Encoding.PEM).decode())
