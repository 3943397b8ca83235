"""`impasto submit`: pictures from wherever they are, as one campaign, whatever interrupts it."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import filterfalse
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final

import typer
from rich.progress import Progress

from app.cli import controls
from app.cli.gather import PICTURES, Elsewhere, Entry, Picture, Skipped, gather
from app.cli.resume import Journal, journal
from app.cli.work import LOCAL, Json, Key, Url, progress, say, watch
from app.client import Campaign, Impasto, KeyRefused, ServiceAway, ServiceError, Unavailable
from app.client.transport import UPLOADS_AT_ONCE
from app.domain.manifest import Format
from app.domain.parameters import SOFT, OutputFormat
from app.errors import BadRequest, ImpastoError
from app.manifest import MAX_LINES

SHOWN: Final = 20  #: reasons that are printed one by one
#: What a preset may say.
_OF_A_PRESET: Final = ("style", "strength", "keep_colour", "variation", "deterministic")
MARK: Final = "impasto_submission"  #: in a campaign's metadata: which submission made it
HELP: Final = """
Send pictures as one campaign, and watch it.

SOURCES are folders (walked to the bottom), ZIP archives, pictures, and manifests: CSV or JSONL
with the columns of the API and `file`, a path beside the manifest. Equal pictures are uploaded
once. The same command after an interruption goes on where it was: it uploads what is missing,
and never makes a second campaign.

Examples:

  impasto submit photographs/ --style great-wave --out painted/

  impasto submit spring.zip --style great-wave:0.6,starry-night:0.4 --size 1600

  impasto submit products.csv --style great-wave@1 --name "Spring 2027" --json

  impasto submit a.jpg b.jpg shoes/ --style scream --no-wait

  impasto submit shoes/ --preset brand --out painted/
"""


def add(cli: typer.Typer) -> None:
    """The command of this module."""
    cli.command(help=HELP)(submit)


@dataclass
class Found:
    """What the sources came to."""

    items: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def faults(self) -> list[Skipped]:
        return [one for one in self.skipped if one.fault]


def submit(
    context: typer.Context,
    sources: Annotated[list[Path], typer.Argument(exists=True, help="Where the pictures are.")],
    key: Key,
    style: controls.Style = "",
    preset: controls.Preset = "",
    url: Url = LOCAL,
    name: Annotated[str, typer.Option(help="The campaign's name.")] = "",
    strength: controls.Strength = 1.0,
    keep_colour: controls.KeepColour = 0.0,
    variation: controls.Variation = None,
    mask: controls.Mask = None,
    mask_feather: controls.MaskFeather = SOFT,
    deterministic: controls.Deterministic = False,
    size: controls.Size = None,
    print_: controls.Print = False,
    quality: controls.Quality = 90,
    format: Annotated[OutputFormat, typer.Option(help="Of the outputs.")] = OutputFormat.JPEG,
    territory: controls.Territory = "",
    channel: controls.Channel = "",
    out: Annotated[Path | None, typer.Option(help="Put the outputs here.")] = None,
    wait: Annotated[bool, typer.Option(help="Watch the campaign to its end.")] = True,
    as_json: Json = False,
) -> None:
    if not (style or preset):
        raise BadRequest("Say --style, or --preset with one that has a style.")
    look: dict[str, Any] = {
        "name": name or sources[0].resolve().name,
        "preset": preset or None,
        "style": style or None,
        "strength": strength,
        "keep_colour": keep_colour,
        "variation": variation,
        "deterministic": deterministic,
        "quality": "print" if print_ else "standard",
        "output": {"format": format.value, "quality": quality, "size": size},
        "territory": territory or [],
        "channel": channel or [],
    }
    if preset:
        look = _said(context, look)
    places = [str(source.resolve()) for source in sources]
    mask_at = [str(mask.resolve()), mask_feather] if mask is not None else None
    about = {**look, "sources": places, "mask": mask_at, "url": url, "key": key[:12]}
    with Impasto(url, key) as impasto, journal(about) as done:
        if mask is not None:
            look["mask"] = {"upload_id": impasto.upload(mask).upload_id, "feather": mask_feather}
        campaign, found = _handed_in(impasto, done, sources, look, quiet=as_json)
        shown = {"refused": [one.model_dump() for one in campaign.manifest_errors()]}
        _tell(found, shown["refused"], quiet=as_json)
        content = impasto.get(campaign.path)
        if wait or out is not None:
            content = watch(impasto, str(campaign.id), quiet=as_json)
        if out is not None:
            save(impasto, Campaign.of(impasto, content), out)
        done.forget()
    skipped = [{"place": one.place, "reason": one.reason} for one in found.skipped]
    say(content | ({"skipped": skipped, **shown} if as_json else {}), as_json=as_json)
    bad = found.faults or shown["refused"]
    whole = not wait or content["counts"]["succeeded"] == content["counts"]["total"]
    sys.exit(1 if bad or not whole else 0)


def _said(context: typer.Context, look: dict[str, Any]) -> dict[str, Any]:
    """What was typed, and none of our defaults: the preset knows better."""

    def typed(option: str) -> bool:
        source = context.get_parameter_source(option)
        return source is not None and source.name != "DEFAULT"

    output = {name: value for name, value in look["output"].items() if typed(name)}
    quality = {"quality"} if typed("print_") else set()
    left = {*filterfalse(typed, _OF_A_PRESET), "output", "quality"} - quality
    kept = {name: value for name, value in look.items() if name not in left}
    return {**kept, **({"output": output} if output else {})}


def _handed_in(
    impasto: Impasto, done: Journal, sources: list[Path], look: dict[str, Any], *, quiet: bool
) -> tuple[Campaign, Found]:
    """The campaign of this submission: the one that there is, or a new one."""
    if known := _known(impasto, done):
        return known, Found()
    found = Found()
    if not done.repeatable:
        with ExitStack() as stack, progress(quiet) as bar:
            _Bringing(impasto, done, found, bar).bring(gather(sources, stack))
        if not found.items:
            _tell(found, [], quiet=quiet)
            raise BadRequest(f"{sources[0]} holds no picture that was accepted.")
        done.seal(found.items, {**look, "metadata": {MARK: done.id}})
    try:
        campaign = _sent(impasto, done)
    except (ServiceAway, Unavailable):
        raise  # it may have been made all the same: the next try is the same request
    except ServiceError:
        done.unseal()
        raise
    done.write({"campaign_id": str(campaign.id)})
    return campaign, found


def _known(impasto: Impasto, done: Journal) -> Campaign | None:
    """What an earlier process made of this submission, whether or not it lived to hear of it."""
    if done.campaign_id is not None:
        return impasto.campaigns.get(done.campaign_id)
    if done.sealed_at is None or done.repeatable:
        return None
    return next(
        (one for one in impasto.campaigns.list() if one.metadata.get(MARK) == done.id), None
    )


def _sent(impasto: Impasto, done: Journal) -> Campaign:
    with done.manifest.open("rb") as manifest:
        content = impasto.post_form(
            "/v1/campaigns",
            {"campaign": json.dumps(done.options)},
            {"manifest": ("manifest.jsonl", manifest, Format.JSONL.value)},
            idempotency_key=done.id,
        )
    return Campaign.of(impasto, content)


class _Bringing:
    """Uploads what is missing, a few at a time; items keep the order of the sources."""

    def __init__(self, impasto: Impasto, done: Journal, found: Found, bar: Progress) -> None:
        self._impasto, self._done, self._found, self._bar = impasto, done, found, bar
        self._task = bar.add_task("uploading", total=None)
        self._items: dict[int, dict[str, Any]] = {}
        self._under_way: dict[Future[str], tuple[int, Picture]] = {}

    def bring(self, entries: Iterable[Entry]) -> None:
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            try:
                for place, entry in enumerate(_unlike(entries, self._found)):
                    self._begin(pool, place, entry)
                self._end(most=0)
            finally:
                pool.shutdown(cancel_futures=True)
        self._found.items += [self._items[place] for place in sorted(self._items)]

    def _begin(self, pool: ThreadPoolExecutor, place: int, entry: Picture | Elsewhere) -> None:
        self._bar.update(self._task, total=place + 1)
        if isinstance(entry, Elsewhere):
            self._items[place] = {**entry.fields, "custom_id": entry.custom_id}
            self._bar.advance(self._task)
            return
        future = pool.submit(_upload, self._impasto, self._done, entry)
        self._under_way[future] = (place, entry)
        self._end(most=2 * UPLOADS_AT_ONCE)

    def _end(self, *, most: int) -> None:
        """Wait until no more than that many are under way."""
        while len(self._under_way) > most:
            for one in wait(self._under_way, return_when=FIRST_COMPLETED).done:
                self._arrived(one, *self._under_way.pop(one))

    def _arrived(self, upload: "Future[str]", place: int, picture: Picture) -> None:
        try:
            self._items[place] = _item(picture.custom_id, picture.fields, upload.result())
        except (ServiceAway, Unavailable, KeyRefused):
            raise  # about all of them
        except (ImpastoError, OSError) as error:
            self._found.skipped.append(Skipped(picture.place, str(error)))
        self._bar.advance(self._task)


def _unlike(entries: Iterable[Entry], found: Found) -> Iterator[Picture | Elsewhere]:
    """Entries to be sent: no two under one name, and no more than a campaign takes."""
    names: set[str] = set()
    for entry in entries:
        if isinstance(entry, Skipped):
            found.skipped.append(entry)
        elif entry.custom_id in names:
            place = entry.place if isinstance(entry, Picture) else entry.custom_id
            found.skipped.append(Skipped(place, f"another item is named {entry.custom_id!r}"))
        else:
            names.add(entry.custom_id)
            if len(names) > MAX_LINES:
                raise BadRequest(f"There are more than {MAX_LINES:,} pictures; split them.")
            yield entry


def _upload(impasto: Impasto, done: Journal, picture: Picture) -> str:
    """The upload of a picture: one of before, if that still holds."""
    content = picture.read()
    digest = sha256(content).hexdigest()
    with done.turn(digest):  # equal pictures, one upload
        if digest not in done.uploads:
            media_type = guess_type(PurePosixPath(picture.place).name)[0] or "image/jpeg"
            upload = impasto.upload_bytes(content, media_type, digest)
            facts = {"upload_id": upload["id"], "expires_at": upload["expires_at"]}
            done.write({"sha256": digest, **facts})
    return done.uploads[digest]


def _item(custom_id: str, fields: Mapping[str, Any], upload_id: str) -> dict[str, Any]:
    return {"custom_id": custom_id, "input": {"upload_id": upload_id}, **fields}


def _tell(found: Found, refused: list[dict[str, Any]], *, quiet: bool) -> None:
    """What became no item, to people."""
    if quiet:
        return
    reasons = [f"{one.place}: {one.reason}" for one in found.skipped]
    reasons += [f"{one['custom_id'] or one['line']}: {one['detail']}" for one in refused]
    for reason in reasons[:SHOWN]:
        typer.secho(reason, err=True, fg=typer.colors.YELLOW)
    if len(reasons) > SHOWN:
        typer.secho(f"... and {len(reasons) - SHOWN} more", err=True, fg=typer.colors.YELLOW)


def save(impasto: Impasto, campaign: Campaign, out: Path) -> None:
    """
    Every output under the name of its item, its renditions beside it; a `custom_id` never leads
    out of the folder.
    """
    taken: set[Path] = set()
    for item in campaign.items(status="succeeded"):
        if item.output is not None and item.output.url is None:
            typer.secho(f"{item.custom_id}: kept back by its style's licence", err=True)
        elif item.output is not None:
            suffix = OutputFormat(item.output.media_type.removeprefix("image/")).value
            path = place_of(out, item.custom_id or str(item.id), suffix)
            if path in taken:  # a.jpg and a.png are two items
                path = place_of(out, f"{item.custom_id}.{suffix}", suffix)
            taken.add(path)
            item.save(path)
            for one in item.renditions:
                place = path.with_name(f"{path.stem}{one.ending}")
                place = path.with_name(f"{path.name}{one.ending}") if place in taken else place
                taken.add(place)
                if one.url is not None:
                    place.write_bytes(impasto.download(one.url))


def place_of(out: Path, custom_id: str, suffix: str) -> Path:
    """Where an output goes: folders of the name are kept, ways out of `out` are not."""
    parts = [
        part for part in custom_id.replace("\\", "/").split("/") if part not in ("", ".", "..")
    ]
    name = PurePosixPath(*parts) if parts else PurePosixPath("picture")
    stem = name.stem if name.suffix.lower() in PICTURES else name.name
    return out / name.with_name(f"{stem}.{suffix}")
