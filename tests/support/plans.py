"""How PostgreSQL would run a statement as the services send it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

Plan = dict[str, Any]


async def plan_of(conn: AsyncConnection, statement: Any, values: Mapping[str, Any], how: str = "") -> Plan:
    """The plan of a statement with its values; `how` as in "ANALYZE, BUFFERS, "."""
    sent = statement.compile(dialect=conn.dialect).construct_expanded_state(values)
    explain = f"EXPLAIN ({how}FORMAT JSON) {sent.statement}"
    (told,) = (await conn.exec_driver_sql(explain, dict(sent.parameters))).scalar_one()
    plan: Plan = told["Plan"]
    return plan


def nodes(plan: Plan) -> list[Plan]:
    """All steps of a plan, the last one first."""
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]
