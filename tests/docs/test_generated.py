"""What pages copy from the code is as the code has it: settings, the API, events, metrics."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from importlib import import_module

import pytest
import typer
from google.protobuf import descriptor_pool
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from docs import generate
from meldbrug.cli.app import app
from services.__main__ import NAMES, SETTINGS, config_schema
from services.edge.metrics import EdgeMetrics
from services.kernel.config import KernelSettings
from services.kernel.log import Metrics
from services.settings import OF_THE_COMMAND, prefix_of
from tests.docs.pages import between, tracked
from tests.support.stack import ROOT

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
API = (ROOT / "docs" / "api.md").read_text("utf-8")
PREFIXED = [(prefix_of(part), settings) for part, settings in SETTINGS.items()]


def variables(prefix: str, settings: type) -> set[str]:
    """Returns the environment variables of a settings class, read from the class itself."""
    found = set()
    for name, field in settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and hasattr(kind, "model_fields") and not issubclass(kind, BaseSettings):
            found |= variables(f"{prefix}{name.upper()}__", kind)
        else:
            found.add(prefix + name.upper())
    return found


def test_the_committed_schema_is_that_of_the_code():
    assert json.loads((ROOT / "docs" / "config.schema.json").read_text()) == config_schema()


@pytest.mark.parametrize("page", generate.pages().items(), ids=lambda page: page[0].name)
def test_a_generated_page_is_up_to_date(page: tuple[generate.Path, str]):
    path, text = page

    assert path.read_text("utf-8") == text, "run `python -m docs.generate`"


def test_every_setting_is_documented_and_every_documented_one_is_a_setting():
    wanted = {name for prefix, settings in PREFIXED for name in variables(prefix, settings)}

    listed = re.findall(
        r"^\| `(MELDBRUG_\w+)` \|", CONFIGURATION.partition("## The `meldbrug`")[0], re.MULTILINE
    )

    assert sorted(listed) == sorted(wanted)


def test_every_setting_that_any_page_names_exists():
    wanted = {name for prefix, settings in PREFIXED for name in variables(prefix, settings)}
    of_the_command = set(re.findall(r"^\| `(MELDBRUG_\w+)` \| `--", CONFIGURATION, re.MULTILINE))
    parts = {name.rpartition("__")[0] for name in wanted}

    for page in tracked("*.md"):
        named = set(re.findall(r"`(MELDBRUG_[A-Z_]+[A-Z])`", page.read_text("utf-8")))
        assert named - wanted - of_the_command - parts == set(), page


@pytest.mark.parametrize(
    "switch", [{"test_clock": True}, {"test_failpoint_file": "f"}, {"refusal_floor_ms": 1}]
)
def test_a_test_switch_alone_refuses_the_start_as_the_page_says(switch: dict[str, object]):
    named = set(
        re.findall(r"`MELDBRUG_(\w+)`", CONFIGURATION.partition("## Test switches")[2].partition("##")[0])
    )
    assert {name.upper() for name in switch} <= named

    with pytest.raises(ValidationError, match="need test_switches"):
        KernelSettings.model_validate(
            {
                "installation": "a" * 52,
                "database_url": "postgresql://x",
                "openfga": {"address": "x:1", "store_id": "s", "model_id": "m"},
                "service_secrets_dir": "keys",
                "service_keys": {},
                "page_key_file": "pages.key",
                **switch,
            }
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_method_of_the_api_is_in_the_reference(name: str):
    file = descriptor_pool.Default().FindFileByName(f"meldbrug/{name}/v1/{name}_service.proto")

    for service in file.services_by_name.values():
        section = API.partition(f"### {service.full_name}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
        assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == [
            method.name for method in service.methods
        ]


def test_every_event_that_may_be_logged_is_documented():
    events = {
        event.value
        for path in tracked("services/*.py")
        if "class Event(StrEnum)" in path.read_text("utf-8")
        for event in import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)).Event
    }

    assert set(re.findall(r"`([a-z_]+\.[a-z_]+)`", between(OPERATIONS, "events"))) == events
    assert all(isinstance(event, str) and re.fullmatch(r"[a-z]+\.[a-z_]+", event) for event in events)


def test_no_event_is_logged_that_is_not_in_an_enumeration_called_event():
    enumerations = {
        name
        for path in tracked("services/*.py")
        for name in re.findall(
            r"^class (\w+)\(StrEnum\):\n.*\n\n    \w+ = \"[a-z]+\.[a-z]",
            path.read_text("utf-8"),
            re.MULTILINE,
        )
    }

    assert enumerations == {"Event"}
    assert issubclass(import_module("services.kernel.log").Event, StrEnum)


def test_every_metric_is_documented():
    registries = Metrics().registry, EdgeMetrics().registry
    metrics = {family.name for registry in registries for family in registry.collect()}

    assert set(re.findall(r"`(meldbrug_\w+)`", between(OPERATIONS, "metrics"))) == metrics


def test_the_marks_of_the_figures_are_there_for_whoever_measures():
    assert between((ROOT / "docs" / "performance.md").read_text("utf-8"), "figures").strip()


def test_the_command_and_the_services_agree_on_which_settings_are_the_commands():
    listed = set(re.findall(r"^\| `(MELDBRUG_\w+)` \| `--", CONFIGURATION, re.MULTILINE))

    assert listed == OF_THE_COMMAND
    assert listed == {
        option.envvar for option in typer.main.get_command(app).params if getattr(option, "envvar", None)
    }
