"""The key file of a device: none takes another's place unsaid, and it is taken off (T17)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from meldbrug.client.keyfile import load_keys
from tests.browser.conftest import Visit
from tests.browser.test_passkeys import (
    BY_PASSKEY,
    DESK,
    ROLE,
    adds,
    at_the_device,
    comes_back,
    enters,
    kept,
)
from tests.support.authenticator import Authenticator
from tests.support.browser import PASSPHRASE

pytestmark = pytest.mark.light_keys


@pytest.mark.parametrize("sealed", [False, True])
async def test_a_key_file_takes_no_other_s_place_before_it_is_said_what_is_lost(
    visit: Visit, tmp_path: Path, sealed: bool
) -> None:
    """The same key without a passphrase, and another file of it that has one but no passkey."""
    visitor = await visit(width=320, height=640)
    page = visitor.page
    await Authenticator.of(page)
    await at_the_device(visitor)
    file = await visitor.downloads_keys(tmp_path) if sealed else visitor.world.sector.key_file(ROLE)
    await visitor.press("Passkey toevoegen")
    await visitor.sees("De passkey is toegevoegd.")
    before = await kept(visitor)
    await comes_back(visitor)
    await page.locator("#key-file").set_input_files(file)
    await visitor.sees("Die passkey opent daarna niets meer op dit toestel.")
    await visitor.has_no_barrier()
    assert await visitor.width() <= 320
    assert await page.locator("#passphrase").count() == 0, "something could be opened before it is said"
    await visitor.press("Laten zoals het is")
    assert await kept(visitor) == before
    await visitor.button(BY_PASSKEY).wait_for()

    await page.locator("#key-file").set_input_files(file)
    await visitor.press("Vervangen")
    await enters(visitor)
    assert not (await kept(visitor)).get("passkeys")


async def test_a_new_member_s_key_takes_no_other_s_place_unsaid(visit: Visit) -> None:
    visitor = await visit()
    await Authenticator.of(visitor.page)
    await adds(visitor)
    before = await kept(visitor)
    await comes_back(visitor)
    await visitor.press("Ik heb een uitnodiging")
    await visitor.sees("Die passkey opent daarna niets meer op dit toestel.")
    await visitor.page.locator("#invitation").fill("abcd")
    await visitor.page.locator("#new-passphrase").fill(PASSPHRASE)
    await visitor.has_no_barrier()
    assert await visitor.button("Sleutel maken").is_disabled()
    await visitor.page.get_by_role("checkbox").check()
    assert await visitor.button("Sleutel maken").is_enabled()

    assert await kept(visitor) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_key_is_taken_off_the_device(visit: Visit, scheme: str) -> None:
    visitor = await visit(width=320, height=640, color_scheme=scheme)
    await at_the_device(visitor)
    await visitor.has_no_barrier()
    assert await visitor.width() <= 320
    assert await visitor.button("Van dit toestel halen").is_disabled()
    await visitor.page.get_by_role("checkbox").check()
    await visitor.press("Van dit toestel halen")

    await visitor.sees("Op dit toestel staat nog geen sleutel.")
    await visitor.has_no_barrier()
    assert await visitor.page.evaluate("() => localStorage.length") == 0


async def test_the_exported_file_is_the_python_client_s_and_has_the_passkey(
    visit: Visit, tmp_path: Path
) -> None:
    visitor = await visit(**DESK)
    authenticator = await Authenticator.of(visitor.page)
    await adds(visitor)
    path = await visitor.downloads_keys(tmp_path)
    shown = await visitor.page.locator(".fingerprint").inner_text()
    [entry] = json.loads(path.read_text("utf-8"))["passkeys"]

    assert load_keys(path, PASSPHRASE).kid == "".join(shown.split())
    assert [base64.b64decode(entry["credential"])] == await authenticator.passkeys()
