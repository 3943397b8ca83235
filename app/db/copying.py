"""Rows by COPY: the cheapest way into Postgres, in the transaction of the session like all else."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import Engine, TextClause, event
from sqlalchemy.orm import Session

NULL: Final = r"\N"
PIECE: Final = 2**16  #: bytes that the driver takes at once
_ROWS: Final = "copied rows"  #: the option that carries them past SQLAlchemy
_ESCAPED: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def cell(text: str | None) -> str:
    """A text, which holds no NUL, as COPY reads it."""
    if text is None:
        return NULL
    plain = text.isprintable() and "\\" not in text
    return text if plain else text.translate(_ESCAPED)


def json_cell(value: Any) -> str:
    """What can be JSON, as COPY reads it."""
    return NULL if value is None else to_json(value).decode().replace("\\", r"\\")


def copy(session: Session, statement: TextClause, lines: Iterable[str]) -> None:
    """Carry out a `COPY ... FROM STDIN`; each line has a row's cells between tabs, and its end."""
    rows = BytesIO("".join(lines).encode())
    session.execute(statement, execution_options={_ROWS: rows})


def teach(engine: Engine) -> None:
    """SQLAlchemy knows no COPY; so its errors, events and broken connections are as of others."""
    event.listen(engine, "do_execute", _carry_out)


def _carry_out(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Whether it was one."""
    rows = context.execution_options.get(_ROWS)
    if rows is None:
        return False
    cursor.copy_expert(statement, rows, PIECE)
    return True
