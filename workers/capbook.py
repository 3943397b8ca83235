"""What memory taught a worker, kept for the next one on the same device: a small file."""

import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any, Final

from workers.asks import Shape
from workers.relief import Caps

KEPT: Final = 7 * 24 * 3600.0  #: seconds; a neighbour on the device may have been the reason
NAME: Final = re.compile(r"[^A-Za-z0-9.-]+")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CapBook:
    """
    Caps of one model on one device with one limit of memory, each with when it was learned.

    Workers that share the file overwrite each other's latest lesson at worst: it is learned again.
    """

    path: Path
    clock: Callable[[], float] = time

    def open(self) -> Caps:
        """What is known, and kept from now on; a file that cannot be read teaches nothing."""
        notes = self._notes()
        known = {_shape(name): int(note["pictures"]) for name, note in notes.items()}
        return Caps(known, self.learned)

    def learned(self, shape: Shape, most: int) -> None:
        """Write one down; a worker that may not write here goes on without."""
        height, width, *_ = shape
        note = {"pictures": most, "pixels": most * height * width, "at": self.clock()}
        notes = self._notes() | {"x".join(map(str, shape)): note}
        draft = self.path.with_suffix(f".{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(notes, indent=1))
            draft.replace(self.path)
        except OSError as error:
            log.warning("a cap of memory was learned and not kept: %s", error)

    def _notes(self) -> dict[str, dict[str, Any]]:
        try:
            notes = json.loads(self.path.read_text())
            since = self.clock() - KEPT
            return {name: note for name, note in notes.items() if note["at"] >= since}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is not what a worker wrote: %s", self.path, error)
            return {}


def cap_book(cache: Path, *, model: str, engine: str, device: str, limit: int | None) -> CapBook:
    """The book of a model (a digest) drawn by an engine on a device, where engines keep things."""
    its = f"{model}|{engine}|{device}|{limit}"
    readable = NAME.sub("-", f"{engine}-{device}")[:80]
    return CapBook(cache / f"caps-{readable}-{sha256(its.encode()).hexdigest()[:12]}.json")


def _shape(name: str) -> Shape:
    return tuple(int(part) for part in name.split("x"))
