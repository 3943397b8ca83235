"""
`python -m tests.fuzz.corpora FOLDER...`: every file through both real decoders, whatever it is.

Any end but a picture or a refusal of ours is named; so is what takes a decoder over a second.
"""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from app.errors import DecoderCrashed, ImageTooLarge, InvalidImage
from app.settings import LimitSettings
from tests.fuzz.pictures import LONGEST
from workers.codec import cpu
from workers.codec.child import Decoded
from workers.codec.pool import DecodePool
from workers.codec.strips import Sheet, Strips, in_memory


def main(folders: list[str]) -> None:
    limits = LimitSettings(min_side=1)
    files = sorted(path for one in folders for path in Path(one).rglob("*") if path.is_file())
    ends: Counter[tuple[str, str]] = Counter()
    strips = Strips(limits, None)
    with DecodePool(1, in_memory(limits)) as pool:
        for path in files:
            ends["pillow", _end(path, pool.decode)] += 1
            ends["libvips", _end(path, strips.decode)] += 1
    for (decoder, end), count in sorted(ends.items()):
        print(f"{decoder:8} {end:16} {count:6}")


def _end(path: Path, decode: Callable[[bytes, int], Decoded | Sheet]) -> str:
    """How it ended, by name; raises what nobody expects."""
    with cpu.measured() as spent:
        try:
            decoded = decode(path.read_bytes(), LONGEST)
        except (InvalidImage, ImageTooLarge, DecoderCrashed) as error:
            decoded, end = None, type(error).__name__
            if isinstance(error, DecoderCrashed):
                print(f"{path}: {error}")
        else:
            end = "decoded"
    if isinstance(decoded, Sheet):
        decoded.close()
    if spent.seconds > 1:
        print(f"{path}: {spent.seconds:.1f} s")
    return end


if __name__ == "__main__":
    main(sys.argv[1:])
