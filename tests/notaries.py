"""Who signs in tests: our own certificate, made once; signing itself is the real thing."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp

from app.credentials import Credentials, read, reading
from app.settings import MarkingSettings
from workers.marking.certificates import ROOT
from workers.marking.notary import Notary, open_notary


@lru_cache(maxsize=1)
def directory() -> Path:
    """Where this test run keeps its certificate."""
    return Path(mkdtemp(prefix="impasto-notary-")) / "marking"


@lru_cache(maxsize=1)
def new_notary() -> Notary:
    """One for the whole run, as a worker has one for its life."""
    notary = open_notary(MarkingSettings(development=directory()))
    assert notary is not None
    return notary


def credentials(content: bytes, media_type: str = "image/jpeg") -> Credentials:
    """What a file says, read by who trusts our own root."""
    return read(BytesIO(content), media_type, reading((directory() / ROOT).read_text()))
