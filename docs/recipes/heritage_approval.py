"""A museum's pictures, none let out before a curator's yes: read heritage_approval.md."""

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from kit import bar, console, cook, facts, pairs
from rich.prompt import Prompt

from impasto.client import Campaign, Impasto, NotNow, ServiceError

STYLE: Final = "woodcut"
USE: Final[dict[str, Any]] = {"territory": "DE,AT", "channel": "print", "commercial": False}
POSTER: Final = {"territory": "US", "channel": "outdoor"}  #: what somebody else would like


def exhibit(impasto: Impasto, pictures: list[Path], out: Path) -> None:
    """Terms, drawing, review, delivery, and where it all came from."""
    facts(f"Licence of {STYLE}", terms(impasto))
    photographs = {picture.stem: picture for picture in pictures}
    with bar("drawn") as progress:
        campaign = impasto.campaigns.create(
            name="Old trades", style=STYLE, files=photographs, review="all", **USE
        ).wait_drawn(progress, timeout=600)
    looked_at = review(impasto, campaign, out / "looked-at")
    campaign = campaign.wait(timeout=60)
    jobs = {job.custom_id or "": job for job in campaign.items()}
    approved = {
        name: job.save(out / "approved" / f"{name}.jpg") for name, job in jobs.items() if job.output
    }
    facts(
        f"In {out / 'approved'}",
        {path.name: origin(impasto, path, photographs[name]) for name, path in approved.items()},
    )
    shown = [
        ((name, photographs[name]), (jobs[name].status, picture))
        for name, picture in looked_at.items()
    ]
    facts(
        "Exhibition",
        {
            "approved": campaign.counts.succeeded,
            "rejected": campaign.counts.rejected,
            "report": campaign.report(out / "report.html"),
            "look at": pairs(shown, out / "sheet.jpg", across=2, side=180),
        },
    )


def terms(impasto: Impasto) -> dict[str, object]:
    """What the style's licence says, and whether it would allow a poster."""
    [style] = [one for one in impasto.styles.list() if one.name == STYLE]
    try:
        impasto.costs.estimate(style=STYLE, count=1, **POSTER)
        poster = "allowed"
    except ServiceError as error:
        poster = error.problem.code
    return {"version": style.pinned, **style.card["licence"], "a poster in the US": poster}


def review(impasto: Impasto, campaign: Campaign, folder: Path) -> dict[str, Path]:
    """Decide on all of it, with a key that may do that and nothing else; what was looked at."""
    key = impasto.keys.create("curator", ["review"], days=1)
    looked_at: dict[str, Path] = {}
    with impasto.holding(key.key or "") as curator:
        for one in curator.reviews.list(campaign_id=campaign.id):
            name, picture = one.job.custom_id or "", one.output["asset_id"]
            looked_at[name] = one.save(folder / f"{name}.jpg")
            before = delivered(impasto, picture)
            why = judge(name, looked_at[name])
            job = one.reject("off-period", note=why) if why else one.approve()
            console.print(f"{name}: {before}, {job.status}, {delivered(impasto, picture)}")
    impasto.keys.revoke(key.prefix)
    return looked_at


def judge(name: str, picture: Path) -> str:
    """Why it stays in; empty if it may go. Asks a person where there is one."""
    if sys.stdin.isatty():
        return Prompt.ask(f"Look at {picture}. Why not? (enter lets it out)", default="")
    return "There were no rockets then." if name == "rocket" else ""


def delivered(impasto: Impasto, digest: str) -> str:
    """What somebody gets who asks for the picture."""
    try:
        return f"{len(impasto.asset(digest)):,} bytes"
    except NotNow as error:
        return error.problem.code


def origin(impasto: Impasto, file: Path, photograph: Path) -> str:
    """What made a file, asked for by nothing but the file, and held against the photograph."""
    made = impasto.provenance(sha256(file.read_bytes()).hexdigest()).made_by[0]
    ours = made.provenance.content_sha256 == sha256(photograph.read_bytes()).hexdigest()
    style = f"{made.provenance.style} ({made.styles[0].status})"
    signed = "signed" if made.provenance.credentials else "not signed"
    return f"{'our' if ours else 'ANOTHER'} photograph, {style}, {signed}"


if __name__ == "__main__":
    cook(exhibit, "heritage_approval")
