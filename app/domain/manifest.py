"""What a manifest is written in, for who sends one and for who reads it."""

from enum import StrEnum
from typing import Final


class Format(StrEnum):
    """How a manifest is written."""

    JSONL = "application/x-ndjson"
    CSV = "text/csv"


#: Other names under which the two are sent.
ALIASES: Final = {
    "application/jsonl": Format.JSONL,
    "application/x-jsonlines": Format.JSONL,
    "application/csv": Format.CSV,
    "application/vnd.ms-excel": Format.CSV,  # what Windows calls a CSV where Excel is installed
}
SUFFIXES: Final = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL}
