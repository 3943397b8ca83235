"""Python lists as tables, so that one statement serves any number of rows."""

from typing import Any

from sqlalchemy import ARRAY, FromClause, bindparam, cast, column, func


def as_table(**kinds: Any) -> FromClause:
    """`as_table(id=Uuid, cost=Integer)`: rows of the lists given as `new_id` and `new_cost`."""
    arrays = [
        cast(bindparam(f"new_{name}", type_=ARRAY(kind)), ARRAY(kind))
        for name, kind in kinds.items()
    ]
    names = [column(name, kind) for name, kind in kinds.items()]
    return func.unnest(*arrays).table_valued(*names, name="new").render_derived()
