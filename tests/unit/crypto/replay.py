"""Plays one vector: what its operation gives for what it is given, in the notation of the vectors.

Bytes are hex, keys are names of `actors.json` or hex, statements are the two fields of `Signed`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format

from meldbrug.client.keyfile import opened_file, sealed_file
from meldbrug.common.v1.common_pb2 import Signed
from meldbrug.crypto import (
    PublicKeys,
    SealedSection,
    SecretKeys,
    SectionContext,
    canonical,
    from_words,
    keys_from,
    open_section,
    preview_digest,
    seal_section,
    to_words,
    tokens,
    unwrap_key,
)
from meldbrug.crypto.chains import (
    SignedAppointment,
    SignedEndorsement,
    SignedRotation,
    VerifiedMember,
    verify_appointment,
    verify_member,
)
from meldbrug.crypto.statements import _FORMS, StatementKind, sign, verify
from tests.support.passkeys import opened_by_passkey, with_passkey

Values = dict[str, Any]
Actors = dict[str, dict[str, str]]

SEALED_FIELDS = ("ciphertext", "digest", "commitment", "author_signature")


class Replay:
    """Plays vectors with the keys of `actors`."""

    def __init__(self, actors: Actors) -> None:
        self.actors = actors

    def play(self, operation: str, given: Values) -> Values:
        """Returns the result; raises CryptoError where the vector is one of a refusal."""
        played: Callable[[Values], Values] = getattr(self, operation)
        return played(given)

    def secret(self, name: str) -> SecretKeys:
        seeds = self.actors[name]
        return SecretKeys(bytes.fromhex(seeds["signing_seed"]), bytes.fromhex(seeds["sealing_seed"]))

    def public(self, name: str) -> PublicKeys:
        keys = self.actors[name]
        return PublicKeys(bytes.fromhex(keys["signing"]), bytes.fromhex(keys["sealing"]))

    def canonical(self, given: Values) -> Values:
        return {"bytes": canonical(given["label"], *map(field, given["fields"])).hex()}

    def secret_keys(self, given: Values) -> Values:
        keys = SecretKeys(bytes.fromhex(given["signing_seed"]), bytes.fromhex(given["sealing_seed"]))
        return {"signing": keys.public.signing.hex(), "sealing": keys.public.sealing.hex(), "kid": keys.kid}

    def public_keys(self, given: Values) -> Values:
        return {"kid": PublicKeys(bytes.fromhex(given["signing"]), bytes.fromhex(given["sealing"])).kid}

    def seal_section(self, given: Values) -> Values:
        sealed = seal_section(
            SectionContext(**given["context"]),
            bytes.fromhex(given["content"]),
            bytes.fromhex(given["cek"]),
            self.secret(given["author"]),
            given["reporter_kid"],
        )
        return sealed_values(sealed)

    def open_section(self, given: Values) -> Values:
        content = open_section(
            SectionContext(**given["context"]),
            SealedSection(
                **{name: bytes.fromhex(given["sealed"][name]) for name in SEALED_FIELDS},
                author_kid=given["sealed"]["author_kid"],
                reporter_kid=given["sealed"]["reporter_kid"],
            ),
            bytes.fromhex(given["cek"]),
            self.public(given["author"]),
        )
        return {"content": content.hex()}

    def unwrap_key(self, given: Values) -> Values:
        cek = unwrap_key(
            bytes.fromhex(given["wrap"]),
            self.secret(given["reader"]),
            SectionContext(**given["context"]),
            given["grant"],
            given["purposes"],
        )
        return {"cek": cek.hex()}

    def sign_statement(self, given: Values) -> Values:
        kind = StatementKind(given["kind"])
        message = json_format.ParseDict(given["message"], _FORMS[kind][0]())
        return signed_values(sign(kind, message, self.secret(given["signer"])))

    def verify_statement(self, given: Values) -> Values:
        kind = StatementKind(given["kind"])
        message = verify(kind, signed(given), self.public(given["signer"]), _FORMS[kind][0])
        return {"message": json_format.MessageToDict(message, preserving_proto_field_name=True)}

    def mint_token(self, given: Values) -> Values:
        return {
            "token": tokens.mint(
                self.secret(given["caller"]),
                given["audience"],
                tokens.body_hash(bytes.fromhex(given["body"])),
                moment(given["now"]),
                embed_keys=given["embed_keys"],
            )
        }

    def check_token(self, given: Values) -> Values:
        token = tokens.parse(given["token"])
        signing = self.public(given["caller"]).signing if "caller" in given else b""
        keys = token.embedded.signing if token.embedded else signing
        body = tokens.body_hash(bytes.fromhex(given["body"]))
        tokens.check(token, keys, given["audience"], body, moment(given["now"]))
        return {"kid": token.kid}

    def verify_member(self, given: Values) -> Values:
        member = self._member(given)
        return {
            "organisation": member.organisation,
            "organisation_title": member.organisation_title,
            "subject": member.subject,
            "subject_name": member.subject_name,
            "subject_kind": member.subject_kind,
            "kid": member.kid,
            "admin": member.admin,
            "kids": list(member.kids),
            "valid_from": int(member.valid_from.timestamp()),
        }

    def verify_appointment(self, given: Values) -> Values:
        held = verify_appointment(
            given["root_kid"],
            SignedAppointment(signed(given["appointment"]), self.public(given["appointment"]["signer"])),
            self._member(given["admin"]),
            self._member(given["member"]),
            participation=given["participation"],
            capacity=given["capacity"],
        )
        return {name: getattr(held, name) for name in type(held).__slots__}

    def receipt(self, given: Values) -> Values:
        entropy = bytes.fromhex(given["entropy"])
        keys = keys_from(entropy)
        return {
            "nl": " ".join(to_words(entropy, "nl")),
            "en": " ".join(to_words(entropy, "en")),
            "signing_seed": keys.signing_seed.hex(),
            "sealing_seed": keys.sealing_seed.hex(),
            "kid": keys.kid,
        }

    def receipt_from_words(self, given: Values) -> Values:
        return {"entropy": from_words(given["text"]).hex()}

    def preview_digest(self, given: Values) -> Values:
        digests = [bytes.fromhex(digest) for digest in given["ciphertext_digests"]]
        return {
            "digest": preview_digest(given["notice"], digests, given["template"], given["language"]).hex()
        }

    def seal_key_file(self, given: Values) -> Values:
        drawn = {16: bytes.fromhex(given["salt"]), 12: bytes.fromhex(given["nonce"])}
        held = sealed_file(self.secret(given["keys"]), given["passphrase"], random=lambda size: drawn[size])
        return {"file": held.decode()}

    def open_key_file(self, given: Values) -> Values:
        return {"kid": opened_file(given["file"].encode(), given["passphrase"]).kid}

    def add_passkey(self, given: Values) -> Values:
        parts = (bytes.fromhex(given[name]) for name in ("credential", "prf_salt", "prf", "nonce"))
        return {"file": with_passkey(given["file"], self.secret(given["keys"]), *parts)}

    def open_key_file_by_passkey(self, given: Values) -> Values:
        credential, prf = bytes.fromhex(given["credential"]), bytes.fromhex(given["prf"])
        return {"kid": opened_by_passkey(given["file"], credential, prf).kid}

    def _member(self, given: Values) -> VerifiedMember:
        return verify_member(
            given["root_kid"],
            [SignedEndorsement(signed(link), self.public(link["signer"])) for link in given["endorsements"]],
            [SignedRotation(signed(link), self.public(link["signer"])) for link in given["rotations"]],
            self.public(given["subject"]),
        )


def field(value: Values | str | int | list[Any]) -> Any:
    """A canonical field: text and numbers as they are, bytes as `{"hex": ...}`, lists of fields."""
    match value:
        case {"hex": text}:
            return bytes.fromhex(text)
        case list():
            return [field(item) for item in value]
        case _:
            return value


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def signed(values: Values) -> Signed:
    return Signed(statement=bytes.fromhex(values["statement"]), signature=bytes.fromhex(values["signature"]))


def signed_values(statement: Signed) -> Values:
    return {"statement": statement.statement.hex(), "signature": statement.signature.hex()}


def sealed_values(sealed: SealedSection) -> Values:
    return {name: getattr(sealed, name).hex() for name in SEALED_FIELDS} | {
        "author_kid": sealed.author_kid,
        "reporter_kid": sealed.reporter_kid,
    }
