"""The edge's own settings; it has no others: it holds no database, no policy engine and no key of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from services.kernel.config import service_config

TWO_YEARS_S = 63_072_000


class EdgeSettings(BaseSettings):
    """Environment: `MELDBRUG_EDGE_<NAME>`."""

    model_config = service_config("edge")

    listen: str = Field("127.0.0.1:0", description="host:port to serve on; port 0 takes a free one")
    origins: tuple[str, ...] = Field(
        min_length=1,
        description="how browsers call it: scheme://host:port each, a default port left out",
    )
    peers: dict[str, str] = Field(description="name of each service to its host:port")
    peers_tls_ca_file: Path | None = Field(
        None, description="authority of the services' certificates; plain when absent"
    )
    tls_cert_file: Path | None = Field(
        None, description="certificate chain; with tls_key_file, or none of both behind a proxy that has them"
    )
    tls_key_file: Path | None = Field(None, description="private key of the certificate")
    hsts_s: int = Field(
        TWO_YEARS_S, ge=0, description="how long browsers insist on TLS; 0 tells them to forget it"
    )
    installation: str = Field(
        "",
        pattern="^([a-z2-7]{52})?$",
        description="the root's fingerprint, which the app is configured with; required with app_dir",
    )
    leave_to: str = Field(
        "https://www.wikipedia.org/",
        pattern="^https?://",
        max_length=200,
        description="where the app takes somebody who leaves quickly",
    )
    app_dir: Path | None = Field(None, description="folder of the built app; without it only the API answers")
    puzzle_key_file: Path | None = Field(
        None, description="file with 32 bytes in hex, the same for all edges; absent: made at the start"
    )
    calm_per_s: float = Field(
        50.0, gt=0, description="anonymous calls per second up to which nobody is asked a puzzle"
    )
    connections: int = Field(
        4096, ge=16, le=60_000, description="connections at once; beyond, whoever idles longest gives way"
    )
    max_message_bytes: int = Field(
        1_048_576, ge=4096, le=16_777_216, description="largest request; the services have the same bound"
    )
    max_stream_s: int = Field(
        1800, ge=1, le=7200, description="longest deadline of a stream; the services have the same bound"
    )
    stop_grace_s: float = Field(10.0, ge=0, le=300, description="time that running calls get at the stop")
    metrics_listen: str = Field("", description="host:port of the metrics page; empty is off")
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="least level that is logged"
    )

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file: both or none")
        return self

    @model_validator(mode="after")
    def _app_knows_its_root(self) -> Self:
        if self.app_dir is not None and not self.installation:
            # Nobody could be verified: every page of such an app would refuse.
            raise ValueError("app_dir needs installation")
        return self
