"""How what is handed over is written."""

from enum import StrEnum


class ManifestFormat(StrEnum):
    """How a manifest is written."""

    CSV = "csv"  #: RFC 4180 in UTF-8, with a header
    JSONL = "jsonl"  #: one object a line

    @property
    def media_type(self) -> str:
        return "text/csv; charset=utf-8" if self is ManifestFormat.CSV else "application/x-ndjson"


class ReportFormat(StrEnum):
    """How a report is written; either is one file that needs nothing else."""

    HTML = "html"
    PDF = "pdf"

    @property
    def media_type(self) -> str:
        return "application/pdf" if self is ReportFormat.PDF else "text/html; charset=utf-8"
