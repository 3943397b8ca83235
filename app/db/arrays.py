"""Python lists as tables, so that one statement serves any number of rows."""

from typing import Any

from sqlalchemy import ARRAY, FromClause, bindparam, cast, column, func


def as_table(**columns: tuple[Any, list[Any]]) -> FromClause:
    """`as_table(id=(Uuid, ids), cost=(Integer, costs))`: one array parameter a column."""
    arrays = [
        cast(bindparam(f"new_{name}", values, type_=ARRAY(kind)), ARRAY(kind))
        for name, (kind, values) in columns.items()
    ]
    names = [column(name, kind) for name, (kind, _) in columns.items()]
    return func.unnest(*arrays).table_valued(*names, name="new").render_derived()
