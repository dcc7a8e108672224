"""A passkey opens the key of a device besides the passphrase; any other leaves it locked (T17)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.support.authenticator import Authenticator
from tests.support.browser import PASSPHRASE, Visitor

ROLE = "duinroos-vp"
DESK = {"width": 1200, "height": 900}
pytestmark = pytest.mark.light_keys
BY_PASSKEY = "Aanmelden met passkey"
UNABLE = "kan een passkey je sleutel niet openen"
REFUSED = "Er is niets veranderd en niets geopend."
# Makes a passkey of this device for somebody else's key; returns the base64 of its id.
MAKES_ANOTHER = """async () => {
  const made = await navigator.credentials.create({ publicKey: {
    rp: { name: "x" }, user: { id: new Uint8Array([7]), name: "x", displayName: "x" },
    challenge: new Uint8Array(32), pubKeyCredParams: [-7, -257].map((alg) => ({ type: "public-key", alg })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    extensions: { prf: {} },
  } });
  return btoa(String.fromCharCode(...new Uint8Array(made.rawId)));
}"""

# Writes down what the page asks for, and asks for it.
LISTENS = """for (const name of ["create", "get"]) {
  const ask = navigator.credentials[name].bind(navigator.credentials);
  navigator.credentials[name] = (options) => {
    const { rp, rpId, authenticatorSelection, userVerification } = options.publicKey;
    window.asked = [rp?.id ?? rpId, authenticatorSelection?.userVerification ?? userVerification,
      authenticatorSelection?.residentKey ?? "as it is"];
    return ask(options);
  };
}"""


# Gives whoever is asked no more than this, as somebody who closes the prompt gives nothing.
IMPATIENT = """for (const name of ["create", "get"]) {
  const ask = navigator.credentials[name].bind(navigator.credentials);
  navigator.credentials[name] = (options) => ask({ publicKey: { ...options.publicKey, timeout: 1000 } });
}"""


async def kept(visitor: Visitor) -> dict[str, Any]:
    """The key file as the device keeps it."""
    found: dict[str, Any] = json.loads(await visitor.page.evaluate("() => localStorage.getItem('key-file')"))
    return found


async def comes_back(visitor: Visitor) -> None:
    """Opens the page anew: nobody is signed in any more."""
    await visitor.page.reload()
    await visitor.button("Aanmelden").wait_for()


async def enters(visitor: Visitor) -> None:
    """Signs in with the passphrase."""
    await visitor.page.locator("#passphrase").fill(PASSPHRASE)
    await visitor.press("Aanmelden")
    await visitor.page.locator(".seat").wait_for()


async def at_the_device(visitor: Visitor) -> None:
    """Signs in and goes to the page of this device."""
    await visitor.sign_in(ROLE)
    await visitor.page.get_by_role("link", name="Dit toestel").click()
    await visitor.button("Passkey toevoegen").wait_for()


async def adds(visitor: Visitor) -> None:
    """Signs in and adds a passkey."""
    await at_the_device(visitor)
    await visitor.press("Passkey toevoegen")
    await visitor.sees("De passkey is toegevoegd.")


async def stays_locked(visitor: Visitor, because: str) -> None:
    """Asks for the passkey, reads why nothing opened, and has the passphrase left."""
    await visitor.press(BY_PASSKEY)
    await visitor.sees(because)
    assert await visitor.page.locator(".seat").count() == 0
    await visitor.has_no_barrier()


async def test_a_passkey_signs_in_after_a_reload_and_the_passphrase_works_before_and_after(
    visit: Visit,
) -> None:
    visitor = await visit(**DESK)
    authenticator = await Authenticator.of(visitor.page)
    await at_the_device(visitor)
    await visitor.has_no_barrier()
    await comes_back(visitor)
    assert await visitor.button(BY_PASSKEY).count() == 0
    await enters(visitor)
    await visitor.press("Passkey toevoegen")
    await visitor.sees("De passkey is toegevoegd.")
    await visitor.has_no_barrier()
    assert len(await authenticator.passkeys()) == 1

    await comes_back(visitor)
    await visitor.has_no_barrier()
    await visitor.press(BY_PASSKEY)
    await visitor.sees("Duinroos Producties")
    await comes_back(visitor)
    await enters(visitor)


async def test_an_authenticator_that_does_not_verify_its_user_leaves_it_locked(visit: Visit) -> None:
    visitor = await visit()
    authenticator = await Authenticator.of(visitor.page)
    await adds(visitor)
    await comes_back(visitor)
    await authenticator.recognises(its_user=True)
    await visitor.press(BY_PASSKEY)
    await visitor.page.locator(".seat").wait_for()
    await comes_back(visitor)

    # Comes last: after this Chromium's authenticator refused its recognised user too, when that was tried.
    await authenticator.recognises(its_user=False)
    await stays_locked(visitor, REFUSED)
    assert len(await authenticator.passkeys()) == 1
    await enters(visitor)


async def test_verification_is_asked_for_by_the_app_itself(visit: Visit) -> None:
    """Chromium verifies for PRF whatever a page asks; other browsers may not."""
    visitor = await visit()
    await visitor.page.add_init_script(LISTENS)
    await Authenticator.of(visitor.page)
    await adds(visitor)
    assert await visitor.page.evaluate("() => window.asked") == ["localhost", "required", "required"]
    await comes_back(visitor)
    await visitor.press(BY_PASSKEY)
    await visitor.page.locator(".seat").wait_for()

    assert await visitor.page.evaluate("() => window.asked") == ["localhost", "required", "as it is"]


async def test_no_passkey_is_added_for_whom_the_authenticator_does_not_recognise(visit: Visit) -> None:
    visitor = await visit()
    authenticator = await Authenticator.of(visitor.page)
    await at_the_device(visitor)
    await authenticator.recognises(its_user=False)
    await visitor.press("Passkey toevoegen")

    await visitor.sees(REFUSED)
    await visitor.has_no_barrier()
    assert "passkeys" not in await kept(visitor)


async def test_another_authenticator_leaves_it_locked(visit: Visit) -> None:
    visitor = await visit()
    authenticator = await Authenticator.of(visitor.page)
    await adds(visitor)
    await comes_back(visitor)
    await authenticator.remove()
    await Authenticator.of(visitor.page)

    await stays_locked(visitor, REFUSED)
    await enters(visitor)


async def test_a_prompt_that_is_not_answered_loses_nothing_and_can_be_asked_again(visit: Visit) -> None:
    visitor = await visit()
    await visitor.page.add_init_script(IMPATIENT)
    authenticator = await Authenticator.of(visitor.page)
    await adds(visitor)
    before = await kept(visitor)
    await comes_back(visitor)
    await authenticator.is_touched(by_itself=False)
    await stays_locked(visitor, REFUSED)
    assert await kept(visitor) == before

    await authenticator.is_touched(by_itself=True)
    await visitor.press(BY_PASSKEY)
    await visitor.page.locator(".seat").wait_for()


async def test_a_passkey_that_is_given_up_while_it_is_made_leaves_the_file_as_it_was(visit: Visit) -> None:
    visitor = await visit()
    await visitor.page.add_init_script(IMPATIENT)
    authenticator = await Authenticator.of(visitor.page)
    await at_the_device(visitor)
    before = await kept(visitor)
    await authenticator.is_touched(by_itself=False)
    await visitor.press("Passkey toevoegen")
    await visitor.sees(REFUSED)
    await visitor.has_no_barrier()
    assert await kept(visitor) == before

    await comes_back(visitor)
    await enters(visitor)


async def test_with_no_authenticator_left_the_passphrase_opens_it(visit: Visit) -> None:
    visitor = await visit()
    await visitor.page.add_init_script(IMPATIENT)
    authenticator = await Authenticator.of(visitor.page)
    await adds(visitor)
    await comes_back(visitor)
    await authenticator.remove()

    await stays_locked(visitor, REFUSED)
    await enters(visitor)
    await visitor.page.get_by_role("link", name="Dit toestel").click()
    await visitor.sees("Je sleutel gaat ook open met een passkey.")


async def test_a_foreign_passkey_that_the_file_was_made_to_name_leaves_it_locked(visit: Visit) -> None:
    """What opens the file is not the name of a passkey, but what its authenticator makes."""
    visitor = await visit()
    authenticator = await Authenticator.of(visitor.page)
    await adds(visitor)
    await authenticator.remove()
    await Authenticator.of(visitor.page)
    file = await kept(visitor)
    file["passkeys"][0]["credential"] = await visitor.page.evaluate(MAKES_ANOTHER)
    await visitor.page.evaluate("(file) => localStorage.setItem('key-file', file)", json.dumps(file))
    await comes_back(visitor)

    await stays_locked(visitor, "Die passkey past niet op deze sleutel.")
    await enters(visitor)


async def test_without_prf_it_says_so_and_the_passphrase_stays(visit: Visit) -> None:
    visitor = await visit()
    await Authenticator.of(visitor.page, has_prf=False)
    await at_the_device(visitor)
    await visitor.press("Passkey toevoegen")

    await visitor.sees(UNABLE)
    await visitor.has_no_barrier()
    assert "passkeys" not in await kept(visitor)
    await comes_back(visitor)
    assert await visitor.button(BY_PASSKEY).count() == 0
    await enters(visitor)


async def test_a_browser_without_passkeys_says_so(visit: Visit) -> None:
    visitor = await visit()
    await visitor.page.add_init_script("delete window.PublicKeyCredential")
    await at_the_device(visitor)
    await visitor.press("Passkey toevoegen")

    await visitor.sees(UNABLE)


async def test_a_passkey_that_was_taken_away_opens_nothing(visit: Visit) -> None:
    visitor = await visit()
    authenticator = await Authenticator.of(visitor.page)
    await adds(visitor)
    await visitor.page.get_by_text("Passkey weghalen").click()
    await visitor.has_no_barrier()
    await visitor.press("Nu weghalen")
    await visitor.sees("De passkey is weggehaald.")
    await visitor.has_no_barrier()

    assert len(await authenticator.passkeys()) == 1, "the authenticator's own is its user's"
    assert (await kept(visitor))["passkeys"] == []
    await comes_back(visitor)
    assert await visitor.button(BY_PASSKEY).count() == 0
    await enters(visitor)


async def test_at_another_address_the_passkey_opens_nothing(visit: Visit, tmp_path: Path) -> None:
    """A page elsewhere that has even the file gets nothing of its passkey."""
    visitor = await visit(**DESK)
    await Authenticator.of(visitor.page)
    await adds(visitor)
    path = await visitor.downloads_keys(tmp_path)
    await visitor.page.goto(f"{visitor.root.replace('localhost', '127.0.0.1')}/#/nl/work")
    await visitor.page.locator("#key-file").set_input_files(path)

    await stays_locked(visitor, UNABLE)
    await enters(visitor)
