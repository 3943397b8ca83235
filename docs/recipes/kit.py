"""What every recipe needs around it: a service, photographs, a folder, and tables to read."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from impasto.client import Campaign, Impasto, ServiceError
from impasto.sheet import Shown, contact_sheet

KITCHEN: Final = Path("var/recipes")
#: Photographs that scikit-image brings along and whose licences let anybody show them.
FREE: Final = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
SHOT: Final = 400  #: pixels of a product shot, square

Recipe: TypeAlias = Callable[[Impasto, list[Path], Path], None]

console = Console(highlight=False, soft_wrap=True)


def cook(recipe: Recipe, name: str) -> None:
    """
    Run a recipe on the pictures that were named, or on free ones; its folder is in `KITCHEN`.

    What the service refuses, or a file that is not there, is a sentence and exit code 1.
    """
    out = KITCHEN / name
    out.mkdir(parents=True, exist_ok=True)
    try:
        with Impasto.from_environment() as impasto:
            recipe(impasto, [Path(word) for word in sys.argv[1:]] or photographs(), out)
    except (ServiceError, OSError) as error:
        console.print(f"[bold red]{name}:[/] {escape(str(error))}")
        sys.exit(1)


def photographs() -> list[Path]:
    """Four free ones. Exits where scikit-image is not installed."""
    found = find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        sys.exit("Name some pictures, or install some: pip install 'scikit-image>=0.25'")
    return [Path(found.submodule_search_locations[0], "data", name) for name in FREE]


def shots(pictures: list[Path], folder: Path) -> dict[str, Path]:
    """Three square product shots out of each photograph, by SKU: along its diagonal."""
    folder.mkdir(exist_ok=True)
    made: dict[str, Path] = {}
    for picture in pictures:
        with Image.open(picture) as photo:
            side = min(photo.size) * 3 // 4
            for number in range(3):
                left, top = ((length - side) * number // 2 for length in photo.size)
                shot = photo.convert("RGB").crop((left, top, left + side, top + side))
                sku = f"{picture.stem}-{number + 1}"
                made[sku] = folder / f"{sku}.jpg"
                shot.resize((SHOT, SHOT)).save(made[sku], quality=95)
    return made


def facts(title: str, rows: Mapping[str, object]) -> None:
    """A table of two columns."""
    table = Table(title=title, title_justify="left", show_header=False)
    for word, value in rows.items():
        table.add_row(word, ", ".join(value) if isinstance(value, list) else str(value))
    console.print(table)


def money(micros: int, currency: str | None) -> str:
    """Millionths of a currency unit as people write them."""
    return f"{micros / 1e6:.6f} {currency or ''}".strip()


def pairs(shown: Sequence[tuple[Shown, Shown]], path: Path, *, across: int, side: int) -> Path:
    """A contact sheet of photographs with what became of them, so many pairs to a row."""
    rows = [shown[start : start + across] for start in range(0, len(shown), across)]
    contact_sheet([list(chain.from_iterable(row)) for row in rows], path, side=side)
    return path


@contextmanager
def bar(words: str) -> Iterator[Callable[[Campaign], None]]:
    """A progress bar; what it gives is what `Campaign.wait` takes for its `progress`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as shown:
        task = shown.add_task(words)

        def progress(now: Campaign) -> None:
            total = now.counts.total
            shown.update(task, total=total, completed=total - now.counts.waiting)

        yield progress
