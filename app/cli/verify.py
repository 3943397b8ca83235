"""`impasto verify`: what a file says of itself, whether that holds, and whether it can be drawn."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli import record as records
from app.cli.again import Difference, Materials, again
from app.cli.work import ADDRESS, LOCAL
from app.errors import BadRequest, Misconfigured
from app.images import media_type
from app.settings import settings

#: Exit codes; 1 and 2 are what every command has for mistakes.
TRUSTED, UNTRUSTED, TAMPERED, ABSENT, DIFFERENT = 0, 3, 4, 5, 6
SURE: Final = 1.0  #: mean difference, of 255, up to which two pictures count as the same


@dataclass(frozen=True)
class Verdict:
    """All that `verify` found out."""

    code: int
    facts: dict[str, Any]


def add(cli: typer.Typer) -> None:
    """The command of this module."""
    cli.command()(verify)


def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    trust_dev: Annotated[
        bool, typer.Option("--trust-dev", help="Trust the certificate for development of here.")
    ] = False,
    trust: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Roots to trust, PEM.")
    ] = None,
    render: Annotated[
        bool, typer.Option("--render", help="Draw it again, here, and compare.")
    ] = False,
    content: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The photograph, for --render."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Its mask, for --render, if it has one."),
    ] = None,
    key: Annotated[
        str,
        typer.Option(
            envvar="IMPASTO_API_KEY",
            help="Of a service, which tells its record of the file and has photograph and mask.",
        ),
    ] = "",
    url: Annotated[str, typer.Option(envvar=ADDRESS, help="That service.")] = LOCAL,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """
    Who made a picture, from what, in which style, under which licence; and whether that holds.

    With the key of the service that delivered it, also who handed it in and who let it out.

    Exits with 0 if it is unchanged and signed by somebody you trust, 3 if nobody vouches for who
    signed or the certificate has expired, 4 if it was tampered with, 5 if it says nothing, 6 if it
    was drawn again and is another picture.
    """
    if render and content is None and not key:
        raise BadRequest("--render needs the photograph: --content FILE, or --key of a service.")
    picture = file.read_bytes()
    found = _read(picture, _anchors(trust, trust_dev=trust_dev))
    verdict = _verdict(found, sha256(picture).hexdigest())
    if key:
        verdict.facts["record"] = records.record(url, key, verdict.facts["sha256"])
    if render and verdict.code in (TRUSTED, UNTRUSTED):
        materials = Materials(content, mask, url, key)
        verdict = _compared(verdict, again(settings(), picture, found.render or {}, materials))
    _say(file, verdict, as_json=as_json)
    raise typer.Exit(verdict.code)


def _read(picture: bytes, anchors: str | None) -> Any:
    try:
        from app import credentials
    except ImportError:
        raise Misconfigured(
            "Reading Content Credentials needs c2pa-python: pip install 'impasto[marking]'."
        ) from None
    from io import BytesIO

    return credentials.read(BytesIO(picture), media_type(picture), credentials.reading(anchors))


def _anchors(path: Path | None, *, trust_dev: bool) -> str | None:
    roots = [path] if path else []
    if trust_dev:
        own = settings().marking.development / "root.pem"
        if not own.exists():
            raise BadRequest(
                f"There is no {own}. Name the root with --trust, or the directory with "
                "IMPASTO_MARKING__DEVELOPMENT: `impasto up --data DIR` keeps it in DIR/marking."
            )
        roots.append(own)
    return "\n".join(root.read_text() for root in roots) or None


def _verdict(found: Any, digest: str) -> Verdict:
    codes = {"trusted": TRUSTED, "tampered": TAMPERED, "absent": ABSENT}
    signed = found.signed
    facts = {
        "sha256": digest,
        "state": found.state.value,
        "failures": list(found.failures),
        "label": found.label,
        "signed_by": None if signed is None else _signer(signed),
        "actions": [action["action"] for action in found.actions],
        "source_type": next(
            (one["digitalSourceType"] for one in found.actions if "digitalSourceType" in one), None
        ),
        "styles": [
            {name: one.get(name) for name in ("title", "description", "informational_URI")}
            for one in found.ingredients("inputTo")
        ],
        "earlier_manifests": found.earlier,
        "render": found.render,
    }
    return Verdict(codes.get(found.state.value, UNTRUSTED), facts)


def _signer(signed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = signed._asdict()
    return facts | {"at": None if signed.at is None else signed.at.isoformat()}


def _compared(verdict: Verdict, gap: Difference) -> Verdict:
    same = gap.mean <= SURE
    facts = {**verdict.facts, "again": {"max": gap.most, "mean": round(gap.mean, 4), "same": same}}
    return Verdict(verdict.code if same else DIFFERENT, facts)


WORTH: Final = {
    "trusted": "unchanged, and signed by somebody you trust",
    "untrusted": "unchanged; nobody you trust vouches for who signed",
    "expired": "unchanged; the certificate has expired, and no time stamp says when it was signed",
    "tampered": "CHANGED since it was signed, or never signed as it says: believe nothing below",
    "absent": "no Content Credentials",
}


def _say(file: Path, verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(verdict.facts))
        return
    table = Table(show_header=False, box=None)
    for word, text in _lines(verdict.facts):
        table.add_row(word, escape(_printable(text)))
    console = Console(highlight=False)
    console.print(escape(f"{file.name}: {WORTH[verdict.facts['state']]}"), soft_wrap=True)
    if table.row_count:
        console.print(table)


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("problem", failure) for failure in facts["failures"]]
    lines += _signature(facts["signed_by"] or {})
    if facts["actions"]:
        lines.append(("what", ", then ".join(facts["actions"])))
    if facts["source_type"]:
        lines.append(("source type", facts["source_type"].rpartition("/")[2]))
    for style in facts["styles"]:
        about = [style["title"], style["description"], style["informational_URI"]]
        lines.append(("style", " - ".join(str(part) for part in about if part)))
    lines += _drawn(facts["render"] or {})
    if facts["earlier_manifests"]:
        lines.append(("before", f"{facts['earlier_manifests']} earlier manifests came along"))
    if known := facts.get("record"):
        lines += records.lines(known)
    if gap := facts.get("again"):
        verdict = "the same picture" if gap["same"] else "ANOTHER picture"
        lines.append(("again", f"{verdict}: max {gap['max']}, mean {gap['mean']} of 255"))
    return lines


def _signature(by: dict[str, Any]) -> list[tuple[str, str]]:
    if not by:
        return []
    lines = [("signed by", f"{by['organisation']} ({by['name']})")]
    if by["at"]:
        trusted = by["at_trusted"]
        whose = "an authority you trust" if trusted else "an authority nobody vouches for"
        lines.append(("signed at", f"{by['at']}, says {whose}"))
    return lines


def _drawn(render: dict[str, Any]) -> list[tuple[str, str]]:
    named = {
        "asked for": render.get("style"),
        "parameters": json.dumps(render["parameters"]) if "parameters" in render else None,
        "photograph": render.get("content_sha256"),
        "stylizer": render.get("stylizer_sha256"),
        "render key": render.get("render_key"),
    }
    return [(word, str(text)) for word, text in named.items() if text]


def _printable(text: str) -> str:
    """Whoever made the file wrote this, and a terminal obeys what it is shown."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
