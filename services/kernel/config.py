"""Settings, read once at the start from the environment; a wrong one refuses the start and is named."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

REFUSAL_FLOOR_MS = 250


class ConfigurationError(Exception):
    """The process must not start like this; the text names the setting."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OpenFGASettings(_Section):
    """How the policy engine is reached."""

    address: str = Field(description="host:port of the gRPC API")
    http_url: str = Field("", description="URL of the HTTP API; only bootstrap and restore need it")
    store_id: str = Field(description="the one store; another is refused")
    token_file: Path | None = Field(None, description="file with the preshared key; none when absent")
    tls: bool = Field(
        False, description="speak TLS with the engine; the authority is tls_ca_file or the system's"
    )
    model_id: str = Field(description="the pinned authorization model")
    check_timeout_ms: int = Field(
        200, ge=10, lt=REFUSAL_FLOOR_MS, description="deadline of a check, below the refusal floor"
    )
    write_timeout_ms: int = Field(2000, ge=10, le=10_000, description="deadline of a read or write of tuples")
    in_flight: int = Field(24, ge=1, le=1000, description="calls at once, below the engine's pool of 30")
    probe_object: str = Field("organisation:probe", description="object that readiness asks about")
    probe_relation: str = Field("member", description="relation that readiness asks about")


class AdmissionSettings(_Section):
    """How much is let in at once; each lane has its own places, so that none waits behind another."""

    general_in_flight: int = Field(256, ge=1, description="calls at once in the general lane")
    # Fewer than the connections of a service: whoever calls without a key leaves some to the others.
    public_in_flight: int = Field(
        4, ge=1, description="calls without a token at once, where a method names no lane"
    )
    public_queue: int = Field(256, ge=0, description="calls without a token that may wait for a place")
    # More than all that is admitted at once and may ask another service, in one process too.
    peer_in_flight: int = Field(
        1024, ge=1, description="calls of other services at once, where a method names no lane"
    )
    intake_in_flight: int = Field(64, ge=1, description="calls at once in the intake lane")
    intake_queue: int = Field(256, ge=0, description="calls that may wait for the intake lane or for a rate")
    narrowing_in_flight: int = Field(256, ge=1, description="calls at once in the narrowing lane")
    opening_in_flight: int = Field(64, ge=1, description="calls at once in the opening lane")
    stream_in_flight: int = Field(1000, ge=1, description="streams at once")
    streams_per_principal: int = Field(8, ge=1, description="streams at once of one principal")
    principal_per_s: float = Field(50.0, gt=0, description="calls per second of one principal and lane")
    principal_burst: int = Field(
        100, ge=1, description="calls at once of one principal and lane, after a pause"
    )
    tracked_keys: int = Field(
        50_000, ge=100, description="principals whose rate is remembered; the oldest is forgotten"
    )


class KernelSettings(BaseSettings):
    """What every process needs. Environment: `MELDBRUG_<NAME>`, nested with two underscores."""

    model_config = SettingsConfigDict(
        env_prefix="MELDBRUG_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    installation: str = Field(
        pattern=r"^[a-z2-7]{52}$", description="fingerprint of the secretariat root key"
    )
    listen: str = Field("127.0.0.1:0", description="host:port to serve on; port 0 takes a free one")
    peers: dict[str, str] = Field(
        default_factory=dict, description="name to host:port; a missing one is this process"
    )
    database_url: SecretStr = Field(description="postgresql://… of the one database")
    database_pool_size: int = Field(
        8, ge=1, le=200, description="connections per service; as many again for openings"
    )
    database_durability_check: bool = Field(True, description="refuse a server that may lose commits")
    narrowings_dir: Path | None = Field(
        None,
        description="folder where what is closed is kept apart, for a restore; better on another disk",
    )
    openfga: OpenFGASettings
    admission: AdmissionSettings = AdmissionSettings()
    service_secrets_dir: Path = Field(
        description="folder with <name>.key: hex of signing seed and sealing seed"
    )
    service_keys: dict[str, str] = Field(description="name to base64 of the public signing and sealing key")
    page_key_file: Path = Field(description="file with 32 bytes in hex that seal page tokens")
    metrics_listen: str = Field("", description="host:port of the metrics page; empty is off")
    reflection: bool = Field(False, description="serve gRPC reflection; off in production")
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="least level that is logged"
    )
    refusal_floor_ms: int = Field(
        REFUSAL_FLOOR_MS, ge=0, le=5000, description="when after arrival a closed door answers"
    )
    max_message_bytes: int = Field(1_048_576, ge=4096, le=16_777_216, description="largest request")
    max_stream_s: int = Field(1800, ge=1, le=7200, description="longest deadline of a stream")
    max_connection_age_s: int = Field(
        3600, ge=10, description="age at which a connection is asked to reconnect"
    )
    stop_grace_s: float = Field(10.0, ge=0, le=300, description="time that running calls get at the stop")
    tls_cert_file: Path | None = Field(None, description="certificate chain; all three TLS files or none")
    tls_key_file: Path | None = Field(None, description="private key of the certificate")
    tls_ca_file: Path | None = Field(None, description="authority of the peers' certificates")
    test_switches: bool = Field(
        False, description="allows the switches below and a lower refusal floor; never in production"
    )
    test_clock: bool = Field(False, description="the database clock honours kernel.test_clock")
    test_failpoint_file: Path | None = Field(
        None, description="the file that names the failpoint to hold at, as long as it does"
    )

    @model_validator(mode="after")
    def _switches_are_explicit(self) -> Self:
        lowered = self.refusal_floor_ms < REFUSAL_FLOOR_MS
        if (lowered or self.test_clock or self.test_failpoint_file) and not self.test_switches:
            raise ValueError(
                "refusal_floor_ms below 250, test_clock and test_failpoint_file need test_switches"
            )
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if len({self.tls_cert_file is None, self.tls_key_file is None, self.tls_ca_file is None}) > 1:
            raise ValueError("tls_cert_file, tls_key_file and tls_ca_file: all or none")
        return self


class ServiceSettings(BaseSettings):
    """Base of a service's own settings; the subclass says `model_config = service_config("<name>")`."""


def service_config(name: str) -> SettingsConfigDict:
    """The configuration of a service's settings class: environment `MELDBRUG_<NAME>_…`."""
    return SettingsConfigDict(
        env_prefix=f"MELDBRUG_{name.upper()}_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )


def read_hex(path: Path, length: int, setting: str) -> bytes:
    """Reads a secret of `length` bytes in hex. Raises ConfigurationError naming `setting`."""
    try:
        raw = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as cause:
        raise ConfigurationError(f"{setting}: cannot read {length} bytes in hex") from cause
    if len(raw) != length:
        raise ConfigurationError(f"{setting}: {length} bytes in hex are needed")
    return raw


def read_bytes(path: Path | None) -> bytes | None:
    """Reads a file that may be absent from the settings."""
    return path.read_bytes() if path else None
