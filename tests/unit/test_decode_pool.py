"""Pictures come out right, broken ones are refused, and a dying decoder costs one picture."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from PIL import Image

from app.domain.parameters import Output, Parameters
from app.errors import DecoderCrashed, ImageTooLarge, InvalidImage, Misconfigured
from app.images import inspect
from app.settings import LimitSettings
from tests.unit import pictures
from tests.unit.fragile_decoder import marked
from workers.codec.decoder import fitted
from workers.codec.pool import DecodePool

LIMITS = LimitSettings()
FRAGILE = "tests.unit.fragile_decoder"


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    with DecodePool(2, LIMITS) as pool:
        yield pool


@contextmanager
def fragile(processes: int = 2, **limits: int) -> Iterator[DecodePool]:
    with DecodePool(processes, LimitSettings(**limits), module=FRAGILE) as pool:
        yield pool


def close(pixels: ArrayLike, expected: ArrayLike | Image.Image, tolerance: int) -> bool:
    difference = np.asarray(pixels, np.int16) - np.asarray(expected, np.int16)
    return bool(np.abs(difference).max() <= tolerance)


# What comes out


@pytest.mark.parametrize(
    ("content", "tolerance"),
    [(pictures.png(), 0), (pictures.webp(lossless=True), 0), (pictures.jpeg(), 24)],
)
def test_a_picture_comes_back_as_it_was(pool: DecodePool, content: bytes, tolerance: int) -> None:
    decoded = pool.decode(content)
    assert decoded.pixels.shape == (48, 64, 3)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.flags.c_contiguous
    assert decoded.alpha is None
    assert close(decoded.pixels, pictures.photo(), tolerance)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "red"),  # where the red half of the stored picture is seen
    [
        (1, "left"),
        (2, "right"),
        (3, "right"),
        (4, "left"),
        (5, "top"),
        (6, "top"),
        (7, "bottom"),
        (8, "bottom"),
    ],
)
def test_a_turned_picture_is_seen_upright(
    pool: DecodePool, orientation: int, red: str, format: str
) -> None:
    pixels = pool.decode(pictures.held(orientation, format)).pixels
    assert pixels.shape == ((48, 64, 3) if orientation < 5 else (64, 48, 3))
    middle_y, middle_x = pixels.shape[0] // 2, pixels.shape[1] // 2
    spot = {
        "left": pixels[middle_y, 4],
        "right": pixels[middle_y, -5],
        "top": pixels[4, middle_x],
        "bottom": pixels[-5, middle_x],
    }[red]
    assert close(spot, pictures.RED, 12)


def test_a_mirrored_quarter_turn_puts_every_corner_in_its_place(pool: DecodePool) -> None:
    """Orientation 5 and 7 differ from 6 and 8 only by a mirror, which two halves cannot show."""
    corner = pictures.photo()
    corner.paste((255, 255, 255), (0, 0, 16, 12))
    seen = {}
    for orientation in (5, 6, 7, 8):
        exif = Image.Exif()
        exif[pictures.ORIENTATION] = orientation
        pixels = pool.decode(pictures.saved(corner, "PNG", exif=exif)).pixels
        spots = {"tl": pixels[4, 4], "tr": pixels[4, -5], "bl": pixels[-5, 4], "br": pixels[-5, -5]}
        seen[orientation] = [name for name, spot in spots.items() if spot.min() == 255]
    assert seen == {5: ["tl"], 6: ["tr"], 7: ["br"], 8: ["bl"]}


def test_cmyk_red_is_red(pool: DecodePool) -> None:
    red = pool.decode(pictures.cmyk()).pixels[24, 32]
    assert red[0] > 220
    assert max(red[1], red[2]) < 40


def test_cmyk_paper_is_white_and_full_black_is_black(pool: DecodePool) -> None:
    assert pool.decode(pictures.cmyk((0, 0, 0, 0))).pixels.min() > 250
    assert pool.decode(pictures.cmyk((0, 0, 0, 255))).pixels.max() < 5


def test_16_bit_grey_keeps_its_whole_range(pool: DecodePool) -> None:
    pixels = pool.decode(pictures.ramp_16_bit()).pixels
    assert close(pixels[32, :, 1], np.arange(256), 1)


def test_16_bit_colour_keeps_its_whole_range(pool: DecodePool) -> None:
    assert close(pool.decode(pictures.rgb_16_bit()).pixels, (255, 128, 1), 1)


def test_one_grey_of_65536_can_be_transparent(pool: DecodePool) -> None:
    decoded = pool.decode(pictures.grey_16_bit_with_hole())
    assert decoded.alpha is not None
    assert decoded.alpha[:, :32].max() == 0
    assert decoded.alpha[:, 32:].min() == 255
    assert close(decoded.pixels[24, 48], 0x12, 1)


def test_a_palette_with_alpha_lies_over_white(pool: DecodePool) -> None:
    decoded = pool.decode(pictures.palette_with_alpha())
    assert decoded.alpha is not None
    assert (decoded.alpha[24, 4], decoded.alpha[24, 60]) == (128, 255)
    half_red = [round(value * 128 / 255 + 255 * 127 / 255) for value in pictures.RED]
    assert close(decoded.pixels[24, 4], half_red, 1)
    assert close(decoded.pixels[24, 60], pictures.BLUE, 0)


@pytest.mark.parametrize(
    ("content", "solid"),
    [
        (pictures.with_alpha("RGBA"), pictures.BLUE),
        (pictures.with_alpha("LA"), (90, 90, 90)),
        (pictures.with_alpha("RGBA", "WEBP", lossless=True), pictures.BLUE),
    ],
)
def test_alpha_is_carried_and_the_content_lies_over_white(
    pool: DecodePool, content: bytes, solid: tuple[int, int, int]
) -> None:
    decoded = pool.decode(content)
    assert decoded.alpha is not None
    assert decoded.alpha[:, :32].max() == 0
    assert decoded.alpha[:, 32:].min() == 255
    assert decoded.pixels[:, :32].min() == 255
    assert close(decoded.pixels[24, 60], solid, 0)


def test_alpha_shrinks_with_its_picture_and_colours_do_not_bleed(pool: DecodePool) -> None:
    decoded = pool.decode(pictures.with_alpha(), size=32)
    assert decoded.alpha is not None
    assert decoded.alpha.shape == (24, 32)
    red, _, blue = np.moveaxis(decoded.pixels.astype(int), 2, 0)
    assert (blue >= red).all()  # the invisible half was red


def test_alpha_that_hides_nothing_is_dropped(pool: DecodePool) -> None:
    picture = pictures.photo().convert("RGBA")
    decoded = pool.decode(pictures.saved(picture, "PNG"))
    assert decoded.alpha is None
    assert close(decoded.pixels, pictures.photo(), 0)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_wide_gamut_profile_is_honoured(pool: DecodePool, format: str) -> None:
    picture = Image.new("RGB", (64, 48), (120, 160, 120))
    options = {"lossless": True} if format == "WEBP" else {}
    content = pictures.saved(picture, format, icc_profile=pictures.wide_gamut_profile(), **options)
    red, green, blue = pool.decode(content).pixels[24, 32].astype(int)
    # ProPhoto's green lies outside sRGB: what was mild becomes strong, and red gives way.
    assert green - red > 60
    assert green > 165
    assert abs(blue - 125) < 30


def test_grey_stays_grey_through_a_profile(pool: DecodePool) -> None:
    picture = Image.new("RGB", (64, 48), (128, 128, 128))
    content = pictures.saved(picture, "PNG", icc_profile=pictures.wide_gamut_profile())
    pixel = pool.decode(content).pixels[24, 32].astype(int)
    assert np.ptp(pixel) <= 2
    assert pixel[0] == pytest.approx(255 * (128 / 255) ** (1.8 / 2.2), abs=6)


def test_an_srgb_profile_changes_nothing(pool: DecodePool) -> None:
    content = pictures.png(icc_profile=pictures.srgb_profile())
    assert close(pool.decode(content).pixels, pictures.photo(), 0)


@pytest.mark.parametrize("profile", [b"junk", bytes(2000), b"x" * (2**20 + 1)])
def test_a_broken_or_huge_profile_is_ignored(pool: DecodePool, profile: bytes) -> None:
    content = pictures.webp(lossless=True, icc_profile=profile)
    assert close(pool.decode(content).pixels, pictures.photo(), 0)


@pytest.mark.parametrize("make", [pictures.jpeg, pictures.png, pictures.webp])
@pytest.mark.parametrize("size", [32, 50, 333, 640, 5000])
def test_size_bounds_the_longest_side_and_never_enlarges(
    pool: DecodePool, make: Callable[..., bytes], size: int
) -> None:
    height, width, _ = pool.decode(make((640, 427)), size=size).pixels.shape
    assert (width, height) == Parameters(output=Output(size=size)).output_size(640, 427)


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(32, 16_384))
def test_the_child_counts_sizes_like_the_parameters_do(width: int, height: int, size: int) -> None:
    promised = Parameters(output=Output(size=size)).output_size(width, height)
    assert fitted((width, height), size) == promised


def test_a_reduced_photograph_looks_like_the_photograph(pool: DecodePool) -> None:
    small = pool.decode(pictures.jpeg((1600, 1200)), size=100).pixels
    assert close(small, pictures.photo((1600, 1200)).resize((100, 75)), 12)


def test_a_phones_picture_pair_is_its_photograph(pool: DecodePool) -> None:
    pixels = pool.decode(pictures.phone_pair()).pixels
    assert close(pixels[24, 4], pictures.RED, 12)


# What is refused


@pytest.mark.parametrize(
    "content",
    [
        pictures.truncated(pictures.jpeg((200, 200))),
        pictures.truncated(pictures.png((200, 200))),
        pictures.truncated(pictures.webp((200, 200))),
    ],
    ids=["jpeg", "png", "webp"],
)
def test_a_truncated_picture_is_refused(pool: DecodePool, content: bytes) -> None:
    with pytest.raises(InvalidImage):
        pool.decode(content)


def test_what_inspection_refuses_the_decoder_refuses_in_the_same_words(pool: DecodePool) -> None:
    with pytest.raises(ImageTooLarge, match="70000 x 10 pixels; no side may exceed 65500"):
        pool.decode(pictures.strip())
    with pytest.raises(InvalidImage, match="animation of 3 pictures"):
        pool.decode(pictures.animated("PNG"))


def test_a_few_bytes_that_ask_for_hundreds_of_megabytes_end_in_a_refusal() -> None:
    with (
        DecodePool(1, LimitSettings(decode_bytes=512 * 2**20)) as pool,
        pytest.raises((InvalidImage, DecoderCrashed)),
    ):
        pool.decode(pictures.webp_bomb(7000))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow comments on what it reads
@settings(max_examples=150, deadline=None)
@given(
    content=st.sampled_from([pictures.jpeg(), pictures.png(), pictures.webp()]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_a_damaged_picture_is_decoded_or_refused(
    pool: DecodePool, content: bytes, changes: list[tuple[float, int]]
) -> None:
    damaged = bytearray(content)
    for place, value in changes:
        damaged[int(place * (len(content) - 1))] = value
    try:
        pixels = pool.decode(bytes(damaged)).pixels
    except (InvalidImage, ImageTooLarge):
        return
    header = inspect(bytes(damaged), LIMITS)
    assert pixels.shape == (header.height, header.width, 3)


@pytest.mark.skipif(
    "IMPASTO_HOSTILE_PICTURES" not in os.environ,
    reason="IMPASTO_HOSTILE_PICTURES names no folder of hostile pictures",
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow comments on what it reads
def test_no_hostile_picture_hurts_the_parent(pool: DecodePool) -> None:
    paths = Path(os.environ["IMPASTO_HOSTILE_PICTURES"]).rglob("*")
    outcomes: Counter[str] = Counter()
    for content in (path.read_bytes() for path in paths if path.is_file()):
        try:
            pixels = pool.decode(content).pixels
        except (InvalidImage, ImageTooLarge, DecoderCrashed) as error:
            outcomes[type(error).__name__] += 1
        else:
            header = inspect(content, LIMITS)
            assert pixels.shape == (header.height, header.width, 3)
            outcomes["decoded"] += 1
    print(dict(outcomes))  # noqa: T201 - the counts are what one runs this for
    assert outcomes.total() > 0


# What dies


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("SIGKILL", "ended by SIGKILL"),
        ("SIGSEGV", "ended by SIGSEGV"),
        ("EXIT", "ended itself with 3"),
        ("STARVE", "needs more than the 1536 MiB"),
        ("HOARD", "needs more than the 1536 MiB"),
        ("HOG", "needs more than the 1536 MiB"),
    ],
)
def test_a_picture_that_breaks_its_decoder_fails_alone(mark: str, said: str) -> None:
    good = pictures.jpeg()
    with fragile() as pool, ThreadPoolExecutor(6) as threads:
        before = [threads.submit(pool.decode, good) for _ in range(20)]
        bad = threads.submit(pool.decode, marked(good, mark))
        after = [threads.submit(pool.decode, good) for _ in range(20)]
        with pytest.raises(DecoderCrashed, match=said):
            bad.result(30)
        assert all(each.result(30).pixels.shape == (48, 64, 3) for each in before + after)


def test_a_picture_that_spins_is_ended_by_its_cpu_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # On a machine as busy as ours at times, the clock would be there before a second of CPU.
    monkeypatch.setattr("workers.codec.child.LENIENCE", 25)
    with fragile(decode_seconds=1) as pool, ThreadPoolExecutor(2) as threads:
        spinning = threads.submit(pool.decode, marked(pictures.jpeg(), "SPIN"))
        for _ in range(50):
            pool.decode(pictures.jpeg())
        with pytest.raises(DecoderCrashed, match="computed for more than 1 s"):
            spinning.result(60)


def test_cpu_seconds_are_counted_per_picture() -> None:
    with DecodePool(1, LimitSettings(decode_seconds=1)) as pool:
        [pid] = pool.pids
        content = pictures.png((1500, 1500))
        while psutil.Process(pid).cpu_times().user < 2.5:
            pool.decode(content)
        assert pool.pids == [pid]


def test_a_decoder_that_hangs_is_ended_by_the_clock() -> None:
    with fragile(1, decode_seconds=1) as pool:
        start = monotonic()
        with pytest.raises(DecoderCrashed, match="no answer within 4 s"):
            pool.decode(marked(pictures.jpeg(), "SLEEP"))
        assert monotonic() - start < 8
        assert pool.decode(pictures.jpeg()).pixels.shape == (48, 64, 3)


def test_a_decoder_killed_by_somebody_else_costs_no_picture(tmp_path: Path) -> None:
    with fragile(1) as pool:
        content = marked(pictures.jpeg(), "SIGKILL", once=str(tmp_path / "seen"))
        assert pool.decode(content).pixels.shape == (48, 64, 3)


def test_a_decoder_killed_while_idle_is_replaced_unnoticed() -> None:
    with DecodePool(1, LIMITS) as pool:
        [first] = pool.pids
        victim = psutil.Process(first)
        victim.kill()
        assert pool.decode(pictures.jpeg()).pixels.shape == (48, 64, 3)
        assert pool.pids != [first]


def test_no_picture_is_answered_with_another_ones_pixels() -> None:
    shades = {
        shade: pictures.saved(Image.new("L", (64, 48), shade), "PNG") for shade in range(0, 250, 5)
    }
    with fragile(3) as pool, ThreadPoolExecutor(8) as threads:
        calls = []
        for shade, content in shades.items():
            calls.append((shade, threads.submit(pool.decode, content)))
            if shade % 50 == 0:
                threads.submit(pool.decode, marked(content, "SIGKILL"))
        for shade, call in calls:
            assert np.unique(call.result(60).pixels).tolist() == [shade]


def test_a_decoder_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_SECRET_KEY", "do not tell")
    with DecodePool(1, LIMITS) as pool:
        child = psutil.Process(pool.pids[0])
        assert "IMPASTO_SECRET_KEY" not in child.environ()
        assert child.num_fds() == 5  # three of null, the line, the scratch file


def test_decoders_leave_with_their_pool() -> None:
    with DecodePool(2, LIMITS) as pool:
        children = [psutil.Process(pid) for pid in pool.pids]
    assert not any(child.is_running() for child in children)
    with pytest.raises(RuntimeError, match="closed"):
        pool.decode(pictures.jpeg())


def test_decoders_end_when_their_parent_is_killed() -> None:
    program = (
        "from app.settings import LimitSettings; from workers.codec.pool import DecodePool;"
        "pool = DecodePool(2, LimitSettings()).__enter__(); print(*pool.pids, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_a_decoder_that_cannot_start_is_said_at_once() -> None:
    with (
        pytest.raises(Misconfigured, match="no picture decoder can be started"),
        DecodePool(1, LIMITS, module="workers.codec.no_such_module"),
    ):
        pass
