"""
`python -m tests.fuzz TARGET --minutes 10`: one door, under atheris, from seeds.

What breaks is left in var/fuzz/TARGET as a file of its own; hand it over instead of `--minutes` to
see it again. Needs the `tools` extra.
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

import atheris

with atheris.instrument_imports(
    include=["PIL", "app.images", "app.addresses", "app.egress", "app.fetch", "app.manifest",
             "app.domain", "httpcore2", "httpx2", "h11", "idna", "workers.codec.decoder"]
):  # fmt: skip
    from tests.fuzz.addresses import address
    from tests.fuzz.manifests import manifest
    from tests.fuzz.pictures import picture

from tests.fuzz import seeds

TARGETS: Final[dict[str, Callable[[bytes], str]]] = {
    "pictures": picture,
    "addresses": address,
    "manifests": manifest,
}
LONGEST: Final = {"pictures": 2**16, "addresses": 2**12, "manifests": 2**13}  #: bytes
MEMORY: Final = 1536  #: MiB, what a decoder child may have


def fuzz(target: str, minutes: float, more: list[Path]) -> None:
    """Until the time is over or something breaks."""
    here = Path("var/fuzz") / target
    (here / "corpus").mkdir(parents=True, exist_ok=True)
    for name, content in seeds.of(target, more):
        (here / "corpus" / name).write_bytes(content[: LONGEST[target]])
    warnings.simplefilter("ignore")  # Pillow's opinions, as in a decoder child
    outcomes, start = Counter[str](), monotonic()

    def one(content: bytes) -> None:
        outcomes[TARGETS[target](content)] += 1
        if sum(outcomes.values()) % 20_000 == 0:
            print(f"{monotonic() - start:.0f} s: {dict(outcomes)}", file=sys.stderr)

    options = [
        *(sys.argv[0], str(here / "corpus"), f"-artifact_prefix={here}/", "-print_final_stats=1"),
        *(f"-max_total_time={round(minutes * 60)}", f"-max_len={LONGEST[target]}"),
        *("-timeout=60", f"-rss_limit_mb={MEMORY}"),
    ]
    atheris.Setup(options, one)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument(
        "--seeds", type=Path, action="append", default=[], help="A folder of files."
    )
    parser.add_argument("--again", type=Path, help="One input that broke something.")
    chosen = parser.parse_args()
    if chosen.again:
        print(TARGETS[chosen.target](chosen.again.read_bytes()))
        return
    fuzz(chosen.target, chosen.minutes, chosen.seeds)


if __name__ == "__main__":
    main()
