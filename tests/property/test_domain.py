"""The machine on the domain alone: no service, no database, and so a hundred thousand steps in every run."""

from __future__ import annotations

from random import Random

import pytest

from services.disclosure import domain
from tests.support.campaign import Campaign
from tests.support.domain import Play, handed_on, shared

STEPS, GAMES = 40, 50


def played(random: Random, steps: int = STEPS) -> None:
    """One game."""
    play = Play(random)
    while play.steps < steps:
        play.step()


@pytest.mark.campaign("domain", unit="steps", floor=100_000, target=10_000_000, short_s=90)
def test_the_domain_alone_takes_what_it_must_and_nothing_else(campaign: Campaign) -> None:
    """Fifty games with a notice that is answered, opened and closed at random, without any service.

    Keeps I1, I3 and I7: each departure has its reason, what is closed stays so, a tombstone tells nothing.
    """
    for number in campaign:
        random = Random(number)
        for _ in range(GAMES):
            played(random)
            handed_on(random)
            shared(random)
        campaign.count(games=GAMES, steps=GAMES * STEPS)


def test_a_domain_that_opens_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teeth: a notice that closes a second time would be another state than the first."""
    real = domain.closed_as
    monkeypatch.setattr(
        domain, "closed_as", lambda state, reason: real(state, reason) or domain.NoticeState.WITHDRAWN
    )
    with pytest.raises(AssertionError):
        played(Random(1), steps=2000)
