"""A ticket, start to finish: claim, fetch, decode, draw, encode, store, one transaction."""

from collections import Counter
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from time import monotonic, perf_counter

import numpy as np

from app.domain.job import MAX_SOLO_CRASHES, SUSPECTS, Lane
from app.errors import EngineBusy
from workers.asks import Item, Stylized
from workers.claims import Group, claim
from workers.codec.strips import Sheet
from workers.easel import Brush, brush, tile_stage
from workers.finish import Pixels, needs_content
from workers.materials import add_renditions, content_of, marked, picture, style, veil
from workers.settlement import settle
from workers.studio import Studio, Work, attempt
from workers.trails import followed
from workers.warnings import sample, warnings


def stylize(studio: Studio, lane: Lane) -> dict[str, int]:
    """
    Serve one ticket: a group of the lane, after whatever interactive work waits.

    Answers with the number of jobs that ended each way, for operators to read in Flower.
    """
    if lane is Lane.SOLO:
        if not studio.easel.places.clear():
            return {}  # a later ticket finds it so: waiting minutes would hold up everybody
        with studio.gate.alone():
            studio.easel.places.reopen()
            return _suspects(studio)
    with studio.gate.together():
        ended = Counter({} if lane is Lane.INTERACTIVE else _serve(studio, Lane.INTERACTIVE))
        ended.update(_serve(studio, lane))
    return dict(ended)


def _suspects(studio: Studio) -> dict[str, int]:
    """A group of those suspected once, then the others one by one, as many as the time allows."""
    ended = Counter(_serve(studio, Lane.SOLO, limit=SUSPECTS, crashes=0))
    over = monotonic() + studio.worker_settings.group_seconds
    while one := _serve(studio, Lane.SOLO, limit=1):
        ended.update(one)
        if monotonic() > over:
            break
    return dict(ended)


def _serve(
    studio: Studio, lane: Lane, *, limit: int | None = None, crashes: int = MAX_SOLO_CRASHES
) -> dict[str, int]:
    with ExitStack() as place:
        largest = studio.easel.most_pixels(place)
        group = claim(studio, lane, limit=limit, crashes=crashes, largest=largest)
        if group.full:
            studio.tickets.work(lane)  # there may be more, and somebody may be idle
        if not any(studio.easel.takes(work.row.pixels) for work in group.works):
            place.close()
            return _work(studio, group)
        ended = _work(studio, group)
    studio.tickets.work(lane)  # others as large may have found no place
    return ended


def _work(studio: Studio, group: Group) -> dict[str, int]:
    if not group.works:
        return group.ended
    with (
        studio.leases.hold([work.held for work in group.works]),
        studio.meter.busy(),
        followed(group.works),
    ):
        for work in group.works:
            attempt(studio, work, partial(_prepare, studio, work))
        for work in group.works:
            attempt(studio, work, partial(_complete, studio, work))
        with studio.judging(group.works):
            return group.ended | settle(studio, group.works, look=not group.full)


def _prepare(studio: Studio, work: Work) -> None:
    """Fetch and decode; then the batcher has it."""
    start = perf_counter()
    parameters = work.parameters
    content = content_of(studio, work)
    fetched = perf_counter()
    studio.leases.stage(work.held, "decode")
    if studio.easel.takes(work.row.pixels):
        work.commission = _commission(studio, work, content)
        work.timings |= {"fetch": fetched - start, "decode": perf_counter() - fetched}
        return
    decoded = studio.decode(content, parameters.output.size)
    work.alpha, work.seen = decoded.alpha, sample(decoded.pixels)
    if needs_content(parameters):
        over = veil(studio, work, decoded.pixels.shape[:2])
        work.content, work.keep = decoded.pixels, None if over is None else over.whole
    work.timings |= {"fetch": fetched - start, "decode": perf_counter() - fetched}
    studio.leases.stage(work.held, "draw")
    item = Item(
        pixels=decoded.pixels,
        style=style(studio, work),
        strength=parameters.strength,
        urgent=work.row.lane is not Lane.CAMPAIGN,
        alone=parameters.deterministic,
    )
    work.drawing = studio.draw(item)


def _commission(studio: Studio, work: Work, content: bytes) -> tuple[Sheet, Brush]:
    """A large picture on disk, and how to draw it once its turn comes."""
    parameters = work.parameters
    sheet = studio.easel.open(content, parameters.output.size)
    over = veil(studio, work, sheet.size[::-1])
    return sheet, brush(style(studio, work), parameters, over)


def _complete(studio: Studio, work: Work) -> None:
    """Take the drawing and encode it; draw it first if it is large."""
    if work.commission is not None:
        _paint(studio, work, *work.commission)
    elif work.drawing is not None:
        _write(studio, work, work.drawing)


def _paint(studio: Studio, work: Work, sheet: Sheet, its_brush: Brush) -> None:
    start = perf_counter()
    samples: list[Pixels] = []

    def seen(done: int, amount: int, tile: Stylized) -> None:
        studio.pace.measured(tile)
        samples.append(sample(tile.pixels).reshape(-1, 1, 3))
        studio.leases.stage(work.held, tile_stage(done, amount))
        if studio.leases.lost(work.held):
            raise EngineBusy("Somebody else draws this picture by now, or nobody should.")

    with sheet:
        keep = bool(work.parameters.renditions)
        painted = studio.easel.draw(sheet, its_brush, work.parameters.output, seen, keep=keep)
    work.warnings = warnings(np.concatenate(samples), None, strength=work.parameters.strength)
    device = painted.cost.own_ms / 1000
    work.timings |= {"device": device, "draw": perf_counter() - start}
    sealed = marked(studio, work, painted.content)
    if painted.drawn is not None:
        add_renditions(studio, work, painted.drawn.pixels, painted.drawn.alpha)
    work.picture = picture(work, sealed, *sheet.size, painted.cost)


def _write(studio: Studio, work: Work, drawing: "Future[Stylized]") -> None:
    asked = perf_counter()
    try:
        drawn = drawing.result(studio.worker_settings.patience_seconds)
    except TimeoutError:
        raise EngineBusy("The engine did not answer in time.") from None
    studio.pace.measured(drawn)
    ready = perf_counter()
    studio.leases.stage(work.held, "encode")
    pixels = work.finished(drawn.pixels)
    content = studio.encode(pixels, work.alpha, work.parameters.output)
    height, width = pixels.shape[:2]
    work.timings |= {
        "wait": ready - asked,
        "device": drawn.own_ms / 1000,
        "encode": perf_counter() - ready,
    }
    sealed = marked(studio, work, content)
    add_renditions(studio, work, pixels, work.alpha)
    work.picture = picture(work, sealed, width, height, drawn)
