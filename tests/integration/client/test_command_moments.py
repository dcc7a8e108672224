"""Every moment that the command tells: in UTC to programs, on their own clock to people."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from tests.integration.client.terminal import LOCAL_TIME, Terminal, strings
from tests.support.actors import Actors, Case

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


async def test_programs_are_given_every_moment_in_utc_and_people_on_their_own_clock(
    terminal: Terminal, actors: Actors, reported: tuple[Case, str]
) -> None:
    case, receipt = reported
    far_away = {"TZ": "JST-9"}
    notice = await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.accepted()
    incident = case.incident
    commands = {
        "": [("status",), ("mailbox", "send"), ("mailbox", "--all"), ("consent", "list"),
             ("consent", "preview", notice), ("consent", "history")],
        "duinroos-vp": [("case", "list"), ("case", "show", incident), ("case", "message", incident),
                        ("case", "note", incident), ("notice", "list", incident),
                        ("directory", "production", "list")],
        "noorderlicht-contact": [("inbox", "list"), ("notice", "open", notice)],
    }  # fmt: skip
    given = {
        command: (
            await terminal(
                *command, "--json", role=role, receipt="" if role else receipt, typed="Iets.", env=far_away
            )
        ).json
        for role, each in commands.items()
        for command in each
    }
    given[("openings",)] = (await terminal("openings", "--json", receipt=receipt, env=far_away)).json
    shown = await terminal("consent", "list", receipt=receipt, env=far_away)

    for command, content in given.items():
        assert [text for text in strings(content) if LOCAL_TIME.match(text)] == [], command
        moments = [text for text in strings(content) if re.match(r"\d{4}-\d\d-\d\d", text)]
        assert moments, command
        assert [text for text in moments if not MOMENT.fullmatch(text)] == [], command
    asked = given["consent", "list"]["items"][0]["asked"]
    requests = [each async for each in case.consents.requests()]
    assert asked == requests[0].create_time.ToJsonString()
    there = datetime.fromisoformat(asked).astimezone(timezone(timedelta(hours=9)))
    assert there.strftime("%Y-%m-%d %H:%M") in shown.text
