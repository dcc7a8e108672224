"""An authenticator of Chromium's own making: it keeps passkeys, and does what its user would."""

from __future__ import annotations

import base64
from typing import Self

from playwright.async_api import CDPSession, Page


class Authenticator:
    """One authenticator, built into the device that a page is on."""

    def __init__(self, session: CDPSession, key: str) -> None:
        self._session, self._key = session, key

    @classmethod
    async def of(cls, page: Page, *, has_prf: bool = True) -> Self:
        """Gives a page's device an authenticator; a device has one at a time."""
        session = await page.context.new_cdp_session(page)
        await session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "hasPrf": has_prf,
            "isUserVerified": True,
        }
        made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return cls(session, made["authenticatorId"])

    async def remove(self) -> None:
        """Takes it away, with its passkeys."""
        await self._session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self._key})

    async def recognises(self, *, its_user: bool) -> None:
        """Whether it recognises its user from now on."""
        options = {"authenticatorId": self._key, "isUserVerified": its_user}
        await self._session.send("WebAuthn.setUserVerified", options)

    async def is_touched(self, *, by_itself: bool) -> None:
        """Whether somebody touches it at once when it is asked something; else whoever asks waits."""
        options = {"authenticatorId": self._key, "enabled": by_itself}
        await self._session.send("WebAuthn.setAutomaticPresenceSimulation", options)

    async def passkeys(self) -> list[bytes]:
        """The ids of the passkeys that it keeps."""
        held = await self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._key})
        return [base64.b64decode(each["credentialId"]) for each in held["credentials"]]
