"""The local authority vouches for this machine and private addresses, and for nothing else."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from services.stack import certificates

NAMES = ["localhost", "127.0.0.1", "192.168.1.7", "100.101.102.103"]


def loaded(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def verify(made: certificates.Made, name: str) -> None:
    try:
        subject: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    store = Store([loaded(made.authority)])
    PolicyBuilder().store(store).build_server_verifier(subject).verify(loaded(made.certificate), [])


@pytest.mark.parametrize("name", NAMES)
def test_the_certificate_is_good_for_each_name(tmp_path: Path, name: str):
    verify(certificates.ensure(tmp_path, "ca.pem", NAMES), name)


def test_it_is_good_for_no_other(tmp_path: Path):
    with pytest.raises(VerificationError):
        verify(certificates.ensure(tmp_path, "ca.pem", NAMES), "192.168.1.8")


@pytest.mark.parametrize("name", ["bank.example", "8.8.8.8"])
def test_the_authority_cannot_vouch_for_others(tmp_path: Path, name: str):
    """Whoever takes its key cannot use it against a phone that trusts it."""
    made = certificates.ensure(tmp_path, "ca.pem", [name])

    with pytest.raises(VerificationError):
        verify(made, name)


def test_what_is_good_stays(tmp_path: Path):
    before = certificates.ensure(tmp_path, "ca.pem", NAMES).certificate.read_bytes()

    assert certificates.ensure(tmp_path, "ca.pem", list(reversed(NAMES))).certificate.read_bytes() == before


def test_other_names_make_another_certificate_of_the_same_authority(tmp_path: Path):
    made = certificates.ensure(tmp_path, "ca.pem", NAMES)
    authority, before = made.authority.read_bytes(), made.certificate.read_bytes()

    certificates.ensure(tmp_path, "ca.pem", [*NAMES, "10.0.0.9"])

    assert made.authority.read_bytes() == authority
    assert made.certificate.read_bytes() != before
    verify(made, "10.0.0.9")


def test_an_old_certificate_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "SERVER_DAYS", certificates.RENEW_DAYS - 1)
        old = certificates.ensure(tmp_path, "ca.pem", NAMES).certificate.read_bytes()

    made = certificates.ensure(tmp_path, "ca.pem", NAMES)

    assert made.certificate.read_bytes() != old
    assert loaded(made.certificate).not_valid_after_utc > datetime.now(UTC) + timedelta(days=60)


def test_keys_are_readable_by_their_owner_only(tmp_path: Path):
    certificates.ensure(tmp_path, "ca.pem", NAMES)

    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.key")} == {0o600}
    assert len(list(tmp_path.glob("*.key"))) == 2
