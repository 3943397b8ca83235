"""A new style from one picture in minutes: the network stays as it is, only a vector is fitted."""

import argparse
from pathlib import Path
from typing import Any

import torch

from training.cards import Words
from training.device import AUTO, HELP, open_device
from training.ending import in_words
from training.fit import Recipe
from training.lesson import Lesson, Order
from training.progress import Progress

PREVIEWS = {".jpg", ".jpeg", ".png"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.learn", description=__doc__)
    add = parser.add_argument
    add("picture", type=Path, help="what to learn from")
    add("--name", required=True, help="the style's slug")
    add("--style-version", type=int, default=1)
    for word in ("title", "artist", "licence", "licensor", "evidence"):
        add(f"--{word}", required=True)
    add("--year", type=int, required=True)
    add("--description", default="")
    add("--stylizer", default="light-0.3.0", help="a folder of catalog/stylizers")
    add("--catalog", type=Path, default=Path("catalog"))
    add("--photos", type=Path, help="folder of photographs; those inside scikit-image otherwise")
    add("--backbone", type=Path, help="VGG-19 as safetensors; torchvision's otherwise")
    add("--card", type=Path, help="a .json file; a place in the catalog otherwise")
    add("--preview", type=Path, help="a .jpg or .png file; var/learned/NAME.jpg otherwise")
    add("--minutes", type=float, default=8.0, help="of wall time, at most")
    add("--device", default=AUTO, help=HELP)
    add("--threads", type=int, default=2)
    add("--json", action="store_true", help="one object a line on stdout")
    return parser


def _order(chosen: argparse.Namespace) -> Order:
    words = Words(
        slug=chosen.name,
        version=chosen.style_version,
        title=chosen.title,
        artist=chosen.artist,
        year=chosen.year,
        description=chosen.description or f"Learned from {chosen.title}, {chosen.artist}.",
        spdx=chosen.licence,
        licensor=chosen.licensor,
        evidence=chosen.evidence,
    )
    return Order(
        chosen.picture,
        words,
        chosen.stylizer,
        chosen.catalog,
        chosen.photos,
        chosen.backbone,
        chosen.preview or Path(f"var/learned/{chosen.name}.jpg"),
        chosen.minutes,
        Recipe(),
        chosen.card,
        open_device(chosen.device),
    )


def _told(card: dict[str, Any], path: Path) -> str:
    """What came out, in two sentences."""
    quality, learned = card["quality"], card["learned"]
    verdicts = {
        True: "within the catalog's own range",
        False: "outside the catalog's own range",
        None: "not comparable with the catalog's numbers, which another judge took",
    }
    return (
        f"{card['slug']}@{card['version']} learned in {learned['minutes']:.1f} minutes, "
        f"{learned['steps']} steps from {learned['start']}: {path}\n"
        f"content {quality['content']:.3f}, style {quality['style']:.3f} (a photograph as it is: "
        f"{quality['style_of_the_photograph']:.3f}), {verdicts[quality['within']]}"
    )


def main() -> None:
    chosen = _parser().parse_args()
    torch.set_num_threads(chosen.threads)
    with (
        in_words("the catalog is as it was"),
        Progress(chosen.name, 60 * chosen.minutes, as_json=chosen.json) as progress,
    ):
        lesson = Lesson(_order(chosen), progress)
        card = lesson.run()
        facts = {name: card[name] for name in ("slug", "version", "learned", "quality")}
        sentence = _told(card, lesson.card_path)
        progress.say("learned", sentence, card=str(lesson.card_path), **facts)


if __name__ == "__main__":
    main()
