"""Statements are built once for each of their forms, and keep no value of any call."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, Select, String, Table, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import InvalidRequestError

from services.kernel.statements import Prepared, upsert

TABLE = Table("things", MetaData(), Column("name", String, primary_key=True), Column("size", Integer))
BUILT: list[bool] = []


@Prepared
def things(name: str, sizes: list[int], *, newest: bool) -> Select[str]:
    """A statement with two parameters and two forms."""
    BUILT.append(newest)
    query = select(TABLE.c.name).where(TABLE.c.name == name, TABLE.c.size.in_(sizes))
    return query.order_by(TABLE.c.name.desc()) if newest else query


@pytest.fixture(autouse=True)
def _from_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(things, "_made", {})
    BUILT.clear()


def test_each_form_is_built_once_whatever_the_values() -> None:
    calls = [things("a", [1], newest=True), things("b", [], newest=False), things("c", [2, 3], newest=True)]

    assert BUILT == [True, False]
    assert calls[0][0] is calls[2][0] is not calls[1][0]


def test_values_belong_to_their_call() -> None:
    things("first", [1], newest=True)
    statement, values = things("second", sizes=[2, 3], newest=True)

    assert values == {"name": "second", "sizes": [2, 3]}
    made = statement.compile(dialect=postgresql.dialect()).construct_expanded_state(values)
    assert "DESC" in made.statement
    assert sorted(map(str, made.parameters.values())) == ["2", "3", "second"]
    assert "first" not in str(statement.compile().params)


def test_a_value_that_is_missing_is_an_error_and_no_null() -> None:
    statement, values = things("a", newest=True)  # type: ignore[call-arg]

    with pytest.raises(InvalidRequestError, match="sizes"):
        statement.compile(dialect=postgresql.dialect()).construct_params(values)


def test_a_row_that_is_there_is_moved_by_what_comes_with_the_call_and_keeps_the_rest() -> None:
    made = str(upsert(TABLE, "size").compile(dialect=postgresql.dialect()))

    assert made.endswith("ON CONFLICT (name) DO UPDATE SET size = excluded.size")
