"""What fuzzing begins with and what it has found, played again; `make fuzz` goes on from here."""

import warnings
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from app.images import inspect, media_type
from tests.fuzz import seeds
from tests.fuzz.addresses import _assert_public, address
from tests.fuzz.manifests import manifest
from tests.fuzz.pictures import BOUNDS, picture

TARGETS: Final[dict[str, Callable[[bytes], str]]] = {
    "pictures": picture,
    "addresses": address,
    "manifests": manifest,
}
ENDS: Final = {
    "pictures": {"decoded", "broken", "refused"},
    "addresses": {"fetched", "refused"},
    "manifests": {"used", "empty", "refused"},
}
EACH: Final = 40  #: changed copies of each seed


def changed(content: bytes, dice: Random) -> bytes:
    """A few bytes are others, or gone, or there twice."""
    copy = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(copy)) if copy else 0
        kind = dice.randrange(3)
        if kind == 0 and copy:
            copy[at] = dice.randrange(256)
        elif kind == 1:
            del copy[at : at + dice.randint(1, 8)]
        else:
            copy[at:at] = copy[max(0, at - 8) : at]
    return bytes(copy)


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_changed_copies_of_them_break_no_promise(target: str) -> None:
    dice, ended = Random(target), Counter[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's opinions, as in a decoder child
        for _, seed in seeds.of(target):
            for content in (seed, *(changed(seed, dice) for _ in range(EACH))):
                ended[TARGETS[target](content)] += 1
    assert ended.keys() == ENDS[target]  # or the seeds have stopped meaning anything


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "224.0.0.1", "240.0.0.1"]
)
def test_the_fuzzers_own_list_knows_what_is_not_public(host: str) -> None:
    with pytest.raises(AssertionError):
        _assert_public(host)


def test_a_jpeg_that_spells_avif_in_its_ninth_byte_is_a_jpeg() -> None:
    """Found by fuzzing: its header was read as a JPEG's, and then it was called an AVIF."""
    found = b64decode(
        "/9j/1mZ0eXBhdmlmFRgvGhovY0I4QmNjY2NjY2NjY2NjY2NHDQoaCgAAAA1JSERSAAAAAQAAAAEIAAAAADp+m1UA"
        "AAAKSUQEmEV4aWYAAACCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY//CABEIAGcAlgMBIQDg"
        "AhEBAxEDQP/aAAgBAQABAlI="
    )
    assert inspect(found, BOUNDS).media_type == media_type(found) == "image/jpeg"
