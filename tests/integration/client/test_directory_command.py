"""The command does the job of admins, members and the secretariat, on the real stack, in a process of its own."""

# ruff: noqa: E501 - a command stands on a line

from __future__ import annotations

from pathlib import Path

import pytest

from meldbrug.cli.problems import CLOSED, LOCAL, UNVERIFIED
from meldbrug.client import load_keys, save_keys
from meldbrug.crypto import SecretKeys
from tests.integration.client.terminal import Terminal
from tests.support.actors import Actors
from tests.support.sector import World


async def test_a_new_member_is_invited_compared_appointed_and_removed(
    terminal: Terminal, world: World, tmp_path: Path
) -> None:
    invited = (
        await terminal("directory", "member", "invite", "Nachtopzichter", "--json", role="kade9-admin")
    ).json
    own = ("--key", str(tmp_path / "own.json"))
    made = (await terminal("key", "create", "--no-passphrase", "--json", *own)).json
    waiting = await terminal("directory", "accept-invitation", invited["code"], "--json", *own)
    wrong = await terminal(
        "directory",
        "member",
        "endorse",
        invited["member"]["name"],
        "--fingerprint",
        "a" * 52,
        role="kade9-admin",
    )
    endorsed = await terminal(
        "directory", "member", "endorse", invited["member"]["name"], "--fingerprint", f" {made['kid']} ",
        "--json", role="kade9-admin",
    )  # fmt: skip
    appointed = await terminal(
        "directory", "role", "appoint", world.sector.participation("veerpont", "kade9"), made["kid"],
        "--capacity", "safety-contact", "--role", "Nachtopzichter", "--json", role="kade9-admin",
    )  # fmt: skip
    rotated = await terminal("key", "rotate", "--no-passphrase", "--json", *own)
    me = await terminal("directory", "me", "--json", *own)
    removed = await terminal(
        "directory", "member", "remove", invited["member"]["name"], "--yes", "--json", role="kade9-admin"
    )

    assert waiting.json["state"] == "STATE_KEY_PENDING"
    assert wrong.code == UNVERIFIED
    assert endorsed.json["state"] == "STATE_ACTIVE"
    assert appointed.json["appointment"].startswith("appointments/")
    assert rotated.json["before"] == made["kid"]
    assert me.json["member"]["kid"] == rotated.json["kid"]
    assert removed.json["state"] == "STATE_REMOVED"


async def test_a_rotation_that_was_interrupted_goes_on(
    terminal: Terminal, world: World, actors: Actors, tmp_path: Path
) -> None:
    hired, new_keys, key = (
        await actors.hire("kade9", "Wisselaar"),
        SecretKeys.generate(),
        tmp_path / "own.json",
    )
    save_keys(key, hired.client.keys, None)
    save_keys(key.with_suffix(".next.json"), new_keys, None)
    await hired.client.rotation.rotate(new_keys)

    again = await terminal("key", "rotate", "--no-passphrase", "--json", "--key", str(key))

    assert again.json["kid"] == new_keys.kid
    assert load_keys(key) == new_keys
    assert not key.with_suffix(".next.json").exists()


async def test_productions_and_participations_are_kept_by_their_admins(
    terminal: Terminal, world: World
) -> None:
    made = await terminal(
        "directory", "production", "register", "Kort Geding", "--start", "2026-12-01", "--end", "2027-02-01",
        "--json", role="kade9-admin",
    )  # fmt: skip
    production = made.json["production"]
    proposed = await terminal(
        "directory", "participation", "propose", production["name"], world.sector.organisation("duinroos"),
        "--json", role="kade9-admin",
    )  # fmt: skip
    name = proposed.json["name"]
    accepted = await terminal("directory", "participation", "accept", name, "--json", role="duinroos-admin")
    circle = await terminal("directory", "circle", production["name"], "--json", role="duinroos-admin")
    new_code = await terminal(
        "directory", "production", "new-code", production["name"], "--json", role="kade9-admin"
    )
    old = await terminal("directory", "code", production["code"], "--json")
    now = await terminal("directory", "code", new_code.json["code"])
    ended = await terminal(
        "directory", "participation", "end", name, "--yes", "--json", role="duinroos-admin"
    )
    mine = await terminal("directory", "production", "list", role="kade9-admin")

    assert accepted.json["state"] == "STATE_ACCEPTED"
    assert "Duinroos Producties" in [item["title"] for item in circle.json["organisations"]]
    assert old.code == CLOSED
    assert "Kort Geding" in now.text
    assert ended.json["state"] == "STATE_ENDED"
    assert "Kort Geding" in mine.text


async def test_the_secretariat_admits_and_endorses(terminal: Terminal, world: World, tmp_path: Path) -> None:
    root = ("--key", str(tmp_path / "root.json"))
    await terminal("key", "import", world.endpoints.secretariat_key_path, "--no-passphrase", "--json", *root)
    admitted = (
        await terminal(
            "directory", "organisation", "admit", "Studio Zuidwal", "--kind", "producer", "--admin", "Zakelijk leider",
            "--json", *root,
        )
    ).json  # fmt: skip
    own = ("--key", str(tmp_path / "own.json"))
    made = (await terminal("key", "create", "--no-passphrase", "--json", *own)).json
    await terminal("directory", "accept-invitation", admitted["code"], "--json", *own)
    pending = await terminal("directory", "organisation", "pending-admins", "--json", *root)
    endorsed = await terminal(
        "directory", "organisation", "endorse-admin", admitted["admin"]["name"], "--fingerprint", made["kid"],
        "--json", *root,
    )  # fmt: skip
    suspended = await terminal(
        "directory",
        "organisation",
        "set-state",
        admitted["organisation"]["name"],
        "suspended",
        "--yes",
        "--json",
        *root,
    )

    assert admitted["admin"]["name"] in [item["name"] for item in pending.json["items"]]
    assert endorsed.json["state"] == "STATE_ACTIVE"
    assert suspended.json["state"] == "STATE_SUSPENDED"


@pytest.fixture
def root(world: World, tmp_path: Path) -> tuple[str, str]:
    """The options with which the secretariat calls."""
    save_keys(tmp_path / "secretariat.json", world.root, None)
    return "--key", str(tmp_path / "secretariat.json")


async def test_the_secretariat_sees_every_organisation(terminal: Terminal, root: tuple[str, str]) -> None:
    listed = await terminal("directory", "organisation", "list", "--json", *root)
    shown = await terminal("directory", "organisation", "list", *root, env={"LANG": "nl_NL.UTF-8"})
    not_theirs = await terminal("directory", "organisation", "list", "--json", role="kade9-admin")

    kinds = {item["title"]: item["kind"] for item in listed.json["items"]}
    assert kinds["Omroepkoepel Samen"] == "KIND_UMBRELLA"
    assert kinds["Zilverstroom Streaming"] == "KIND_STREAMING"
    assert any("Kade Negen Film" in row and "actief" in row for row in shown.text.splitlines())
    assert not_theirs.code == CLOSED


async def test_an_admin_sees_the_organisation_s_own_members(terminal: Terminal) -> None:
    listed = await terminal("directory", "member", "list", "--json", role="lichtbrug-admin")
    shown = await terminal("directory", "member", "list", "--lang", "nl", role="lichtbrug-admin")

    titles = [item["title"] for item in listed.json["items"]]
    assert sorted(titles) == ["Contactpersoon sociale veiligheid", "Manager personeel"]
    assert any("Manager personeel" in row and "actief" in row for row in shown.text.splitlines())


async def test_anyone_finds_the_independent_point_without_a_code(terminal: Terminal, world: World) -> None:
    found = await terminal("directory", "code", "--json")
    shown = await terminal("directory", "code", "--lang", "nl")

    assert found.json["production"] == ""
    assert [person["kid"] for person in found.json["counsellors"]] == [
        world.sector.keys("vuurtoren-admin").kid
    ]
    assert found.json["safetyContacts"] == []
    assert "Onafhankelijk Meldpunt De Vuurtoren" in shown.text


async def test_a_role_that_was_ended_is_chosen_no_more(terminal: Terminal, actors: Actors) -> None:
    on = await actors.produce("kade9", "duinroos")
    hired = await actors.counsellor("duinroos", on)
    before = await terminal("directory", "code", on.code, "--json")
    unsure = await terminal("directory", "role", "end", hired.appointment, "--json", role="duinroos-admin")
    ended = await terminal(
        "directory", "role", "end", hired.appointment, "--yes", "--json", role="duinroos-admin"
    )
    after = await terminal("directory", "code", on.code, "--json")

    assert hired.kid in [person["kid"] for person in before.json["counsellors"]]
    assert unsure.code == LOCAL
    assert (ended.json["appointment"], ended.json["ended"]) == (hired.appointment, True)
    assert hired.kid not in [person["kid"] for person in after.json["counsellors"]]


async def test_a_participation_that_the_secretariat_closed_has_ended(
    terminal: Terminal, world: World, actors: Actors, root: tuple[str, str]
) -> None:
    on = await actors.produce("kade9", "duinroos")
    name = on.participations["duinroos"]
    listed = await terminal("directory", "participation", "list", "--json", role="duinroos-admin")
    not_theirs = await terminal("directory", "participation", "close", name, "--yes", role="duinroos-admin")
    closed = await terminal("directory", "participation", "close", name, "--yes", "--lang", "nl", *root)
    circle = await terminal("directory", "code", on.code, "--json")
    after = await terminal("directory", "participation", "list", "--lang", "nl", role="duinroos-admin")

    states = {item["name"]: item["state"] for item in listed.json["items"]}
    assert states[name] == states[world.sector.participation("veerpont", "duinroos")] == "STATE_ACCEPTED"
    assert not_theirs.code == CLOSED
    assert closed.text == f"{name}  beëindigd\n"
    assert world.sector.organisation("duinroos") not in [
        item["name"] for item in circle.json["organisations"]
    ]
    assert not any(name in row and "aanvaard" in row for row in after.text.splitlines())


async def test_of_a_production_only_what_is_named_is_changed(terminal: Terminal) -> None:
    update = ("directory", "production", "update")
    made = await terminal(
        "directory", "production", "register", "Laag Water", "--start", "2026-12-01", "--end", "2027-02-01",
        "--isan", "0000-0006-7A1D-0000-B-0000-0000-C", "--json", role="kade9-admin",
    )  # fmt: skip
    before = made.json["production"]
    name = before["name"]
    retitled = await terminal(*update, name, "--title", "Hoog Water", "--json", role="kade9-admin")
    moved = await terminal(
        *update, name, "--start", "2026-12-08", "--end", "2027-03-01", "--isan", "", "--eidr", "10.5240/2E1B-0D15-EA5E-F1C7-AAAA-B",
        "--json", role="kade9-admin",
    )  # fmt: skip
    told = await terminal(*update, name, "--title", "Springtij", "--lang", "nl", role="kade9-admin")
    nothing = await terminal(*update, name, "--lang", "nl", role="kade9-admin")
    not_theirs = await terminal(*update, name, "--title", "Niet van ons", role="duinroos-admin")
    listed = await terminal("directory", "production", "list", "--json", role="kade9-admin")

    assert retitled.json == {**before, "title": "Hoog Water", "etag": retitled.json["etag"]}
    assert moved.json == {
        **retitled.json, "startTime": "2026-12-08T00:00:00Z", "endTime": "2027-03-01T00:00:00Z", "isan": "",
        "eidr": "10.5240/2E1B-0D15-EA5E-F1C7-AAAA-B", "etag": moved.json["etag"],
    }  # fmt: skip
    assert told.text == "Gedaan.\n"
    assert (nothing.code, nothing.err.startswith("Zeg wat er verandert")) == (LOCAL, True)
    assert not_theirs.code == LOCAL
    assert [item["title"] for item in listed.json["items"] if item["name"] == name] == ["Springtij"]


async def test_a_production_is_changed_by_its_lead_alone(terminal: Terminal, world: World) -> None:
    name = world.sector.production("veerpont")
    refused = await terminal(
        "directory", "production", "update", name, "--title", "Niet van ons", "--json", role="kade9-admin"
    )

    assert refused.code == CLOSED
