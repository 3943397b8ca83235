"""One style being learned: the picture is looked at, a vector is fitted, a card is written."""

import copy
import io
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.backbones import backbone_record, load_backbone
from training.cards import Words, check_free, learned_card, write_json, write_whole
from training.catalog import IDENTITY, read_card, read_embeddings, read_stylizer
from training.config import Config
from training.contact_sheet import tile
from training.fit import Fit, Network, Recipe, nearest, score
from training.judge import Judge, swift_dtype
from training.photograph import looks_like_a_photograph
from training.progress import Progress
from training.quality import against_catalog, measure
from training.views import Views, middle, read_photographs, split
from training.worth import check_worth, open_style

LOOKS = 24  # at the held-out photographs in the whole time
APART = 8  # steps between looks, at least: on a busy machine one would see nothing new
PATIENCE = 6  # looks without anything better, after which more minutes would be wasted
BETTER = 0.998  # of the best so far
REFRESH = 4  # looks between previews
PREVIEW_SIDE = 256
PREVIEWED = 6  # photographs
FEW = 40  # photographs, below which their light is varied
CPU = torch.device("cpu")
RESERVE = 15.0  # seconds of the time that the numbers at the end take, at most a fifth of it


@dataclass(frozen=True)
class Order:
    """What to learn from what, and where to put it."""

    picture: Path
    words: Words
    stylizer: str
    catalog: Path
    photos: Path | None  # a folder; None for those inside scikit-image
    backbone: Path | None  # a file; None for torchvision's
    preview: Path
    minutes: float
    recipe: Recipe
    card: Path | None = None  # a file; None for a place in the catalog
    device: torch.device = CPU

    def free_place(self) -> Path:
        """Where the card will lie. Raises DataError where another lies already."""
        return self.card or check_free(self.catalog, self.words)


class Lesson:
    """Looks at everything first: raises DataError before any minute is spent."""

    def __init__(self, order: Order, progress: Progress) -> None:
        self.order, self.progress, self.started = order, progress, time.monotonic()
        self.card_path, self.device = order.free_place(), order.device
        picture = open_style(order.picture)
        check_worth(order.picture, picture)
        self.style = _scaled(picture, order.recipe.style_side).to(self.device)
        self.network = open_network(order.catalog, order.stylizer, self.device)
        self.photos = [photo.to(self.device) for photo in read_photographs(order.photos)]
        fitted, self.held_out = split(self.photos)
        self.backbone = load_backbone(order.backbone).to(self.device)
        self.judge_record = backbone_record(order.backbone)
        self.doubt = looks_like_a_photograph(self.style, self.backbone, self.judge_record["name"])
        self.judge = Judge(copy.deepcopy(self.backbone), [self.style], swift_dtype(self.device))
        self.start = nearest(self.network, self.judge, fitted[:2])
        views = Views(fitted, seed=1, jitter=len(fitted) < FEW)
        start = self.network.known[self.start]
        self.fit = Fit(self.network, start, self.judge, views, order.recipe)
        self.best, self.numbers = start, score(self.network, self.judge, start, self.held_out)
        self.best_step = 0

    @property
    def seconds(self) -> float:
        """Since the order came."""
        return time.monotonic() - self.started

    def run(self) -> dict[str, Any]:
        """Fit until the time is up or nothing gets better; the card, already written."""
        if self.doubt:
            sentence = "this looks like a photograph: it will lend its colours, and few strokes"
            self.progress.say("warning", sentence, detail=sentence)
        self.preview("first")
        self._fit()
        if not self.best_step:
            sentence = f"nothing better was found than {self.start} of the catalog, which is kept"
            self.progress.say("warning", sentence, detail=sentence)
        self.preview("last")
        card = self._card()
        self.order.free_place()  # somebody may have been faster
        write_json(self.card_path, card)
        return card

    def preview(self, which: str) -> None:
        """Write the sheet: the painting on the left; photographs, at half and at full strength."""
        write_whole(self.order.preview, self._sheet())
        seconds, path = round(self.seconds, 1), str(self.order.preview)
        sentence = f"{which} preview after {seconds:.0f} s: {path}"
        self.progress.say("preview", sentence, which=which, seconds=seconds, path=path)

    def _fit(self) -> None:
        given = 60 * self.order.minutes
        begin, end = self.seconds, given - min(RESERVE, given / 5)
        looks, last, share, seen = 0, 0, 0.0, 0  # how often was looked, and when it was worth it
        while share < 1.0 and looks - last < PATIENCE:
            self.fit.step(share)
            self.progress.at(self.seconds)
            share = min(1.0, (self.seconds - begin) / max(end - begin, 1e-9))
            early = share < (looks + 1) / LOOKS or self.fit.steps < seen + APART
            if early and share < 1.0:
                continue
            looks, seen = looks + 1, self.fit.steps
            last = looks if self._look() else last
            if looks % REFRESH == 0:
                self.preview("next")

    def _look(self) -> bool:
        """Score the held-out photographs; whether that is the best so far, which is kept."""
        embedding = self.fit.embedding
        numbers = score(self.network, self.judge, embedding, self.held_out)
        self.progress.at(self.seconds, content=numbers[0], style=numbers[1])
        before, now = self._worth(self.numbers), self._worth(numbers)
        if now < before:
            self.best, self.numbers, self.best_step = embedding, numbers, self.fit.steps
        return now < BETTER * before

    def _worth(self, numbers: tuple[float, float]) -> float:
        return numbers[0] + self.order.recipe.style_weight * numbers[1]

    def _sheet(self) -> bytes:
        shown = [*self.held_out, *self.photos[: -len(self.held_out)]][:PREVIEWED]
        content = torch.cat([middle(photo, PREVIEW_SIDE) for photo in shown])
        rows = [content, *(self.network.draw(content, self.best, at) for at in (0.5, 1.0))]
        parts = _thirds(self.style)
        page = tile([[part, *row] for part, row in zip(parts, rows, strict=True)])
        file = io.BytesIO()
        page.save(
            file, "PNG" if self.order.preview.suffix.lower() == ".png" else "JPEG", quality=90
        )
        return file.getvalue()

    def _card(self) -> dict[str, Any]:
        order, judge = self.order, self.judge_record
        numbers = measure(self.network, self.backbone, self.best, self.style, self.held_out)
        learned = {
            "stylizer": order.stylizer,
            "stylizer_digest": self.network.card["digest"],
            "start": self.start,
            "minutes": round(self.seconds / 60, 2),
            "device": str(self.device),
            "steps": self.fit.steps,
            "best_step": self.best_step,
            "pictures_seen": self.fit.steps * order.recipe.batch,
            "photographs": len(self.photos) - len(self.held_out),
            "backbone": judge,
            "looks_like_a_photograph": self.doubt,
            "made_by": _made_by(),
        }
        quality = against_catalog(numbers, self.network.card, judge["name"])
        quality["photographs"] = len(self.held_out)
        how = {"learned": learned, "quality": quality}
        return learned_card(order.words, order.picture, order.stylizer, self.best, how)


def open_network(catalog: Path, stylizer: str, device: torch.device) -> Network:
    """A stylizer of the catalog with the styles it knows, on that device. Raises DataError."""
    folder = catalog / "stylizers" / stylizer
    card = read_card(folder)
    network = read_stylizer(folder, Config.from_dict(card["training"]["config"]).shape)
    rows = read_embeddings(catalog, stylizer).items()
    known = {slug: embedding.to(device) for slug, embedding in rows}
    identity = known.pop(IDENTITY)
    return Network(network.eval().to(device), identity, known, card)


def _scaled(picture: Image.Image, short_side: int) -> Tensor:
    """uint8 [3,H,W]."""
    scale = short_side / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    array = np.array(picture.resize(size, Image.Resampling.LANCZOS))
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


def _thirds(style: Tensor) -> list[Tensor]:
    """Three squares out of the painting, [3,side,side] in 0..1 each."""
    _, height, width = style.shape
    side = min(height, width)
    places = [(share * (height - side) // 2, share * (width - side) // 2) for share in range(3)]
    cuts = [style[:, top : top + side, left : left + side] for top, left in places]
    return [middle(cut, PREVIEW_SIDE)[0] for cut in cuts]


def _made_by() -> str:
    """The git commit of this tree, or the package's version where it is installed without one."""
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607 - git is wherever it is
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 0:
        return f"git {asked.stdout.strip()}"
    try:
        return f"impasto {version('impasto')}"
    except PackageNotFoundError:
        return "not recorded"
