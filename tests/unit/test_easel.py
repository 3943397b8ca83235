"""Large pictures drawn in tiles: no seams, shared batches, a turn for everybody."""

from collections.abc import Iterator
from concurrent.futures import Future
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.catalog import Catalog
from app.domain.parameters import Output, OutputFormat
from app.errors import ImageTooLarge, OutputInvalid
from app.settings import CATALOG, EngineSettings
from tests.easels import new_easel
from tests.unit import pictures
from tests.unit.test_strips import gap, noise
from workers.asks import Ask, Item, Stylized, Tile
from workers.batcher import Batcher
from workers.batches import Budget
from workers.easel import THUMBNAIL, Brush, Easel, thumbnail, tile_stage
from workers.engines import open_engine
from workers.engines.base import Affines, Engine, Pictures
from workers.engines.null import NullEngine
from workers.local import embedding_of
from workers.tiling import Box

STYLES = ("great-wave", "scream")
PNG = Output(format=OutputFormat.PNG)


class Watched:
    """An engine, and how many pictures or parts were in each call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.painted: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def paint(self, content: Pictures, affine: Affines) -> Pictures:
        self.painted.append(len(content))
        return self.engine.paint(content, affine)


@pytest.fixture(scope="module")
def light() -> Iterator[Engine]:
    engine = open_engine(EngineSettings(threads=1), Catalog(CATALOG))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def styles() -> list[NDArray[np.float32]]:
    return [embedding_of(Catalog(CATALOG), slug, EngineSettings().stylizer) for slug in STYLES]


def nothing(*_: object) -> None:
    """Nobody watches."""


def batcher(engine: Any) -> Batcher:
    return Batcher(engine, budget=Budget(8, 2**20))


def decoded(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(content)))


@pytest.mark.parametrize(("size", "snug"), [((431, 389), False), ((300, 520), True)])
def test_tiles_are_what_the_whole_picture_would_be(
    light: Engine, styles: list[NDArray[np.float32]], size: tuple[int, int], snug: bool
) -> None:
    photo = noise(size[1], size[0], 3)
    affine = light.measure(photo[None], styles[0][None], np.ones(1, np.float32))
    whole = light.paint(photo[None], affine)[0]
    with batcher(light) as drawing:
        easel = new_easel(drawing.submit, reach=light.reach, side=160, snug=snug)
        with easel.open(pictures.saved(Image.fromarray(photo), "PNG"), None) as sheet:
            painted = easel.draw(sheet, Brush(styles[0], 1.0), PNG, nothing)
    assert gap(decoded(painted.content), whole) <= 2
    assert painted.cost.own_ms > 0


def test_tiles_look_like_a_picture_drawn_whole(
    light: Engine, styles: list[NDArray[np.float32]]
) -> None:
    """Statistics found by two graphs: of a picture that is its own thumbnail they are the same."""
    photo = noise(210, 330, 3)
    whole = light.stylize(photo[None], styles[1][None], np.full(1, 0.7, np.float32))[0]
    with batcher(light) as drawing:
        easel = new_easel(drawing.submit, reach=light.reach, side=160)
        with easel.open(pictures.saved(Image.fromarray(photo), "PNG"), None) as sheet:
            painted = easel.draw(sheet, Brush(styles[1], 0.7), PNG, nothing)
    assert gap(decoded(painted.content), whole) <= 2


def test_tiles_of_two_jobs_and_styles_share_batches_and_stay_what_they_are(
    light: Engine, styles: list[NDArray[np.float32]]
) -> None:
    engine, photo = Watched(light), noise(64, 64, 3)
    affines = [light.measure(photo[None], one[None], np.ones(1, np.float32))[0] for one in styles]
    alone = [light.paint(photo[None], affine[None])[0] for affine in affines]
    drawing = batcher(engine)
    futures = [drawing.submit(Tile(photo, affine)) for affine in affines]
    with drawing:
        together = [future.result(30) for future in futures]
    assert engine.painted == [2]
    assert all(one.batch_size == 2 and one.pixel_share == 0.5 for one in together)
    for one, other in zip(together, alone, strict=True):
        assert gap(one.pixels, other) <= 1


def test_parts_and_whole_pictures_of_one_shape_do_not_mix() -> None:
    engine, photo = Watched(NullEngine()), noise(64, 64, 3)
    drawing = batcher(engine)
    asks: list[Ask] = [
        Item(photo, np.zeros(3, np.float32), 1.0),
        Tile(photo, np.zeros(1, np.float32)),
        Item(photo, np.zeros(3, np.float32), 1.0),
    ]
    futures = [drawing.submit(ask) for ask in asks]
    with drawing:
        assert [future.result(30).batch_size for future in futures] == [2, 1, 2]
    assert engine.painted == [1]


def test_a_large_picture_never_has_more_than_four_tiles_waiting() -> None:
    asked, most = 0, 0

    def submit(ask: Ask) -> "Future[Stylized]":
        nonlocal asked, most
        asked += 1
        most = max(most, asked - seen)
        future: Future[Stylized] = Future()
        pixels: Any = ask.pixels if isinstance(ask, Tile) else np.zeros(1, np.float32)
        future.set_result(Stylized(1, 0.0, 1.0, pixels))
        return future

    seen = 0

    def see(*_: object) -> None:
        nonlocal seen
        seen += 1

    easel = new_easel(submit, side=128)
    with easel.open(pictures.png((700, 700)), None) as sheet:
        easel.draw(sheet, Brush(np.zeros(3, np.float32), 1.0), PNG, see)
    assert seen == 36
    assert most <= 5, "four tiles, and the thumbnail before them"


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_large_picture_is_drawn_upright(turn: int) -> None:
    content = pictures.held(turn, "PNG", (300, 200))
    exif = Image.open(BytesIO(content)).getexif()
    assert exif[pictures.ORIENTATION] == turn
    upright = draw_plainly(content)
    expected = Image.open(BytesIO(content))
    assert gap(upright, _turned(expected, turn)) == 0


def _turned(picture: Image.Image, turn: int) -> Image.Image:
    from workers.codec.decoder import TURNS

    return picture.transpose(TURNS[turn]) if turn in TURNS else picture


def draw_plainly(content: bytes, output: Output = PNG, **brush: Any) -> NDArray[np.uint8]:
    with batcher(NullEngine()) as drawing:
        easel = new_easel(drawing.submit, side=128)
        with easel.open(content, output.size) as sheet:
            wanted = Brush(np.zeros(3, np.float32), 1.0, **brush)
            return decoded(easel.draw(sheet, wanted, output, nothing).content)


def test_transparency_survives_where_the_format_has_it() -> None:
    drawn = draw_plainly(pictures.with_alpha())
    assert drawn.shape == (48, 64, 4)
    assert drawn[:, :32, 3].max() == 0
    assert drawn[:, 32:, 3].min() == 255
    jpeg = draw_plainly(pictures.with_alpha(), Output(format=OutputFormat.JPEG, quality=95))
    assert jpeg[:, :24].min() >= 250, "white below it"


def test_a_smaller_output_is_what_was_asked_for() -> None:
    output = Output(format=OutputFormat.PNG, size=300)
    assert draw_plainly(pictures.jpeg((900, 610)), output).shape == (203, 300, 3)


def test_every_part_is_finished_with_its_own_photograph_and_place() -> None:
    photo = noise(300, 340, 3)

    def finish(drawn: Pictures, content: Pictures, box: Box) -> Pictures:
        part = photo[box.y : box.y + box.height, box.x : box.x + box.width]
        assert np.array_equal(content, part)
        return 255 - drawn

    drawn = draw_plainly(pictures.saved(Image.fromarray(photo), "PNG"), finish=finish)
    assert gap(drawn, 255 - photo) == 0


def test_a_thumbnail_is_the_mean_of_its_squares(tmp_path: Path) -> None:
    photo = noise(130, 250, 3)
    easel = new_easel(lambda ask: Future(), tmp_path)
    with easel.open(pictures.saved(Image.fromarray(photo), "PNG"), None) as sheet:
        small = thumbnail(sheet.pixels, 130 * 250 // 4)
        assert gap(small, photo.reshape(65, 2, 125, 2, 3).mean((1, 3))) <= 1
        assert gap(thumbnail(sheet.pixels, THUMBNAIL), photo) == 0


def test_a_stylizer_without_tiles_refuses_large_pictures_and_says_what_would_do() -> None:
    easel = new_easel(lambda ask: Future(), reach=None)
    with pytest.raises(ImageTooLarge, match=r"4,194,304 pixels; ask for a smaller output\.size"):
        easel.open(pictures.png(), None)


def test_an_engine_that_fails_on_a_tile_fails_the_picture() -> None:
    class Broken(NullEngine):
        def paint(self, content: Pictures, affine: Affines) -> Pictures:
            raise RuntimeError("out of ideas")

    with batcher(Broken()) as drawing:
        easel = new_easel(drawing.submit, side=128)
        with easel.open(pictures.png((300, 300)), None) as sheet, pytest.raises(OutputInvalid):
            easel.draw(sheet, Brush(np.zeros(3, np.float32), 1.0), PNG, nothing)


def test_places_are_taken_and_given_back() -> None:
    from contextlib import ExitStack

    easel: Easel = new_easel(lambda ask: Future(), places=1)
    with ExitStack() as first, ExitStack() as second:
        assert easel.most_pixels(first) > 2 * 10**8
        assert easel.most_pixels(second) == easel.whole_pixels
        first.close()
        assert easel.most_pixels(second) > 2 * 10**8


def test_how_far_a_picture_is_fits_its_column() -> None:
    assert tile_stage(12, 80) == "tile 12 of 80"
    assert tile_stage(1234, 5678) == "draw 21%"
    assert all(len(tile_stage(n, n)) <= 16 for n in (1, 99, 999, 99_999))
