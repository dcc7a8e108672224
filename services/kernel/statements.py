"""Statements that are built once: building one anew at every call was a quarter of what a call costs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from typing import Any, Generic, ParamSpec, TypeVar

from sqlalchemy import Executable, Table, bindparam
from sqlalchemy.dialects.postgresql import Insert, insert

P = ParamSpec("P")
S = TypeVar("S", bound=Executable)


class Prepared(Generic[P, S]):
    """A statement that is built at its first use: the decorator of a function that builds it.

    The function's arguments are the parameters of the statement: it is given placeholders for them, whatever
    their types say, and may only put them into it. Those that come by keyword alone give the statement its
    form, and are given as they are; each form is built once and kept, so it is a few that we chose.
    """

    def __init__(self, build: Callable[P, S]) -> None:
        kinds = [(one.name, one.kind) for one in inspect.signature(build).parameters.values()]
        self._form = [name for name, kind in kinds if kind is inspect.Parameter.KEYWORD_ONLY]
        self._places: dict[str, Any] = {name: bindparam(name) for name, _ in kinds if name not in self._form}
        self._build: Callable[..., S] = build
        self._made: dict[tuple[Hashable, ...], S] = {}

    def __call__(self, *given: P.args, **named: P.kwargs) -> tuple[S, dict[str, Any]]:
        """Returns what `execute` takes: the statement, and the values of this call."""
        values: dict[str, Any] = {**dict(zip(self._places, given, strict=False)), **named}
        form = {name: values.pop(name) for name in self._form}
        key = tuple(form.values())
        if key not in self._made:
            self._made[key] = self._build(**self._places, **form)
        return self._made[key], values


def upsert(table: Table, *moved: str) -> Insert:
    """Adds a row, or where its key is there already moves these columns of it; rows come with the call."""
    row = insert(table)
    values = {name: row.excluded[name] for name in moved}
    return row.on_conflict_do_update(index_elements=table.primary_key, set_=values)
