"""The program's own words, Dutch and English as equals. `wording.py` holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .wording import WORDING

Language: TypeAlias = Literal["nl", "en"]


@dataclass(frozen=True)
class Words:
    """The words of one language."""

    language: Language

    def __call__(self, key: str, **values: object) -> str:
        """Returns the sentence called `key`, with `values` filled in."""
        return self.choose(WORDING[key]).format(**values)

    def choose(self, pair: tuple[str, str]) -> str:
        """Returns the Dutch or the English one."""
        return pair[0] if self.language == "nl" else pair[1]
