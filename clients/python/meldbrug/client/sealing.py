"""Sealing on the device: a text becomes a section that only the named keys can open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys, SecretKeys, SectionContext, new_cek, seal_section, wrap_key
from meldbrug.disclosure.v1 import disclosure_pb2 as wire


def seal(
    author: SecretKeys,
    installation: str,
    section: str,
    kind: common.Kind.ValueType,
    text: str,
    reporter_kid: str,
    readers: Iterable[PublicKeys],
    *,
    version: int = 1,
) -> wire.NewSection:
    """Returns a section sealed to `readers` under its incident's own grant.

    Args:
        author: Whose key signs.
        installation: The installation.
        section: `incidents/{incident}/sections/{section}`.
        kind: What it holds.
        text: At most 65,532 bytes of UTF-8.
        reporter_kid: The reporter that the incident is pinned to.
        readers: Who may open it.
        version: Counted from 1.

    Raises:
        SectionInvalid: the text is too long.
    """
    incident = "/".join(section.split("/")[:2])
    context = SectionContext(installation, incident, section, version, kind)
    cek = new_cek()
    sealed = seal_section(context, text, cek, author, reporter_kid)
    header = wire.SectionHeader(
        name=section,
        version=version,
        kind=kind,
        digest=sealed.digest,
        commitment=sealed.commitment,
        author_kid=sealed.author_kid,
        reporter_kid=sealed.reporter_kid,
        author_signature=sealed.author_signature,
    )
    wraps = [wrap_for(reader, cek, context, incident, ()) for reader in once(readers)]
    return wire.NewSection(header=header, ciphertext=sealed.ciphertext, wraps=wraps)


def wrap_for(
    reader: PublicKeys, cek: bytes, context: SectionContext, grant: str, purposes: Sequence[int]
) -> wire.Wrap:
    """Returns a content key sealed to one reader under a grant."""
    return wire.Wrap(
        section=context.section,
        version=context.version,
        reader_kid=reader.kid,
        wrap=wrap_key(cek, reader, context, grant, purposes),
    )


def once(readers: Iterable[PublicKeys]) -> list[PublicKeys]:
    """Returns the readers, each once, in their order."""
    return list({reader.kid: reader for reader in readers}.values())
