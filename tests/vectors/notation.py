"""What the makers of vectors share: the actors, the usual place, and the two forms of a vector."""

from pathlib import Path

from meldbrug.crypto import (
    tokens,
)
from tests.unit.crypto import builders as b
from tests.unit.crypto.replay import Replay, Values

FOLDER = Path(__file__).parent
NAMES = ("root", "admin", "member", "other admin", "reporter", "reader", "stranger", "second", "second admin")
KEYS = {name: b.actor(name) for name in NAMES}
NAME_OF = {keys.kid: name for name, keys in KEYS.items()}

CTX = b.context()
CEK = b.hashed("cek")
TEXT = "Op de set werd ik de hele dag genegeerd."
AUDIENCE = tokens.audience(b.INSTALLATION, "/meldbrug.disclosure.v1.ReporterService/SubmitReport")
OTHER_METHOD = tokens.audience(b.INSTALLATION, "/meldbrug.disclosure.v1.ReporterService/GetStatus")
NOW_S = int(b.NOW.timestamp())
ENTROPY = bytes(range(16))


def actors() -> dict[str, dict[str, str]]:
    """The keys that vectors name."""
    return {
        name: {
            "signing_seed": keys.signing_seed.hex(),
            "sealing_seed": keys.sealing_seed.hex(),
            "signing": keys.public.signing.hex(),
            "sealing": keys.public.sealing.hex(),
            "kid": keys.kid,
        }
        for name, keys in KEYS.items()
    }


PLAY = Replay(actors())


def gives(name: str, operation: str, given: Values) -> Values:
    """A vector with the result that this library gives; the other languages must give the same."""
    return {"name": name, "operation": operation, "given": given, "result": PLAY.play(operation, given)}


def refuses(name: str, operation: str, given: Values, reason: str, detail: str) -> Values:
    """A vector that must be refused, and for this."""
    return {
        "name": name,
        "operation": operation,
        "given": given,
        "refused": {"reason": reason, "detail": detail},
    }


def flipped(data: bytes, position: int) -> bytes:
    """`data` with one bit changed."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)
