"""What a service knows of a file: who handed it in, what made it, who let it out."""

from collections.abc import Iterator
from typing import Any, Final

from app.client import Client
from app.client.errors import ServiceError

SHOWN: Final = 3  #: jobs that one file came from, in words; `--json` has all
SECONDS: Final = 10.0  #: for a service to answer in

Line = tuple[str, str]


def record(url: str, key: str, digest: str) -> dict[str, Any]:
    """
    The service's answer about a file, by its SHA-256, under `known: true`; else `why` not.

    A service that is away is no reason not to say what the file itself says.
    """
    try:
        with Client(url, key, timeout=SECONDS, retries=0) as client:
            return {"known": True, **client.get(f"/v1/provenance/{digest}")}
    except ServiceError as error:
        return {"known": False, "why": str(error)}


def lines(record: dict[str, Any]) -> Iterator[Line]:
    """It in words."""
    if not record["known"]:
        yield "record", f"none: {record['why']}"
        return
    making = record["made_by"]
    if not making:
        yield "record", f"a {record['kind']} picture of yours: nothing made it there"
    for job in making[:SHOWN]:
        yield from _job(job)
    if len(making) > SHOWN:
        yield "record", f"and {len(making) - SHOWN} jobs more that gave the same file"


def _job(job: dict[str, Any]) -> Iterator[Line]:
    named = f" as {job['custom_id']}" if job["custom_id"] else ""
    yield "record", f"job {job['job_id']}{named}, accepted {job['created_at']}{_by(job)}"
    yield "drawn", _drawn(job)
    for style in job["styles"]:
        yield "licence now", _licence(style)
    yield "approved by", _approval(job["review"])


def _by(job: dict[str, Any]) -> str:
    return f" from {_key(job['submitted_by'])}" if job["submitted_by"] else ""


def _key(key: dict[str, Any]) -> str:
    return f"{key['name'] or 'a key that is gone'} (key {key['prefix']})"


def _drawn(job: dict[str, Any]) -> str:
    made, machine = job["provenance"], job["machine"] or {}
    parts = [
        str(job["drawn_at"] or "at a time that is forgotten"),
        f"for job {job['rendered_by']}" if job["rendered_by"] else None,
        f"in {made['style']}",
        f"by {made['software']}" if made["software"] else None,
        f"on {machine['hardware']}" if machine.get("hardware") else None,
    ]
    return " ".join(part for part in parts if part)


def _licence(style: dict[str, Any]) -> str:
    terms = style["card"].get("licence") or {}
    stopped = "withdrawn" if style["withdrawn_at"] else style["status"]
    parts = [
        f"{style['style']} is {stopped}",
        f"until {style['valid_until']}" if style["valid_until"] else None,
        terms.get("spdx"),
        terms.get("licensor"),
        terms.get("evidence"),
    ]
    return ", ".join(str(part) for part in parts if part)


def _approval(review: dict[str, Any] | None) -> str:
    if review is None or review["state"] in (None, "skipped"):
        rule = f" under the rule {review['rule']}" if review else ""
        return f"nobody: nobody had to{rule}"
    if review["state"] == "pending":
        return "nobody yet: it waits for a reviewer"
    who = _key(review["key"]) if review["key"] else str(review["by"])
    no = "" if review["state"] == "approved" else "NOBODY: rejected by "
    said = ": ".join(part for part in (review["reason_code"], review["note"]) if part)
    return f"{no}{who}, {review['at']}" + (f" - {said}" if said else "")
