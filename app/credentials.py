"""Content Credentials as anybody reads them from a file: who signed what, and whether it holds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, BinaryIO, Final, NamedTuple

from c2pa import C2paError, Context, Reader

FILTERED: Final = "c2pa.filtered"
RENDER: Final = "org.impasto.render"  #: our own assertion: what draws the picture again
STYLE: Final = "inputTo"
CONTENT: Final = "parentOf"
STAMP_TRUSTED: Final = "timeStamp.trusted"  #: a code of the C2PA specification

#: Extended key usages of a certificate that may sign: e-mail, documents, C2PA's own.
KEY_USAGES: Final = ("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1")

#: Nothing is fetched: neither what a stranger's file names, nor whether a certificate was revoked.
OFFLINE: Final = {"remote_manifest_fetch": False, "ocsp_fetch": False}


class State(StrEnum):
    """What a file's Content Credentials are worth."""

    TRUSTED = "trusted"  #: unchanged, and signed by somebody we trust
    UNTRUSTED = "untrusted"  #: unchanged, and signed by somebody
    EXPIRED = "expired"  #: unchanged; no time stamp says that it was signed in its time
    TAMPERED = "tampered"  #: changed since it was signed, or never signed as it says
    ABSENT = "absent"


class Signed(NamedTuple):
    """By whom, as their certificate has it; and when, as an authority for time stamps has it."""

    organisation: str | None
    name: str | None
    serial: str | None  #: decimal
    at: datetime | None = None  #: None: no time stamp came along
    at_trusted: bool = False  #: whether that authority is one of those we trust


@dataclass(frozen=True)
class Credentials:
    """What a file says of itself. Of a tampered one none of it is to be believed."""

    state: State
    label: str | None = None  #: names the manifest
    failures: tuple[str, ...] = ()  #: codes of the C2PA specification
    successes: frozenset[str] = frozenset()  #: the same
    manifest: dict[str, Any] | None = None
    earlier: int = 0  #: manifests of what this was made from

    @property
    def signed(self) -> Signed | None:
        if self.manifest is None or "signature_info" not in self.manifest:
            return None
        facts = self.manifest["signature_info"]
        at = facts.get("time")
        return Signed(
            facts.get("issuer"),
            facts.get("common_name"),
            facts.get("cert_serial_number"),
            None if at is None else datetime.fromisoformat(at),
            STAMP_TRUSTED in self.successes,
        )

    @property
    def render(self) -> dict[str, Any] | None:
        """What draws it again, where we drew it."""
        return next((one["data"] for one in self._assertions(RENDER)), None)

    @property
    def actions(self) -> list[dict[str, Any]]:
        """What was done, in order."""
        lists = [one["data"]["actions"] for one in self._assertions("c2pa.actions")]
        return [action for actions in lists for action in actions]

    def ingredients(self, relationship: str) -> list[dict[str, Any]]:
        """What it was made from."""
        known: list[dict[str, Any]] = (self.manifest or {}).get("ingredients", [])
        return [one for one in known if one.get("relationship") == relationship]

    def _assertions(self, label: str) -> Iterator[dict[str, Any]]:
        for one in (self.manifest or {}).get("assertions", []):
            if one["label"] == label or one["label"].startswith(f"{label}."):
                yield one


def reading(anchors: str | None = None) -> Context:
    """How to read: `anchors` are the roots to trust, PEM; without them nobody is."""
    trust = {"trust_config": "\n".join(KEY_USAGES)}
    if anchors:
        trust["trust_anchors"] = anchors
    return Context.from_dict({"trust": trust, "verify": {**OFFLINE, "verify_trust": bool(anchors)}})


def read(file: BinaryIO, media_type: str, context: Context) -> Credentials:
    """
    What the file says of itself, held against its bytes; any thread may call.

    A manifest that cannot be parsed counts as tampered, with what is wrong with it.
    """
    try:
        reader = Reader.try_create(media_type, file, context=context)
    except C2paError as error:
        return Credentials(State.TAMPERED, failures=(str(error),))
    if reader is None:
        return Credentials(State.ABSENT)
    with reader:
        found: dict[str, Any] = json.loads(reader.json())
    failures = tuple(_codes(found, "failure"))
    label, known = found.get("active_manifest"), found.get("manifests", {})
    return Credentials(
        state=_state(found.get("validation_state"), failures),
        label=label,
        failures=failures,
        successes=frozenset(_codes(found, "success")),
        manifest=known.get(label),
        earlier=max(0, len(known) - 1),
    )


_STATES: Final = {"Trusted": State.TRUSTED, "Valid": State.UNTRUSTED}
_OLD: Final = {"signingCredential.expired", "signingCredential.untrusted"}


def _state(verdict: str | None, failures: tuple[str, ...]) -> State:
    if failures and _OLD.issuperset(failures) and verdict not in _STATES:
        return State.EXPIRED
    return _STATES.get(verdict or "", State.TAMPERED)


def _codes(found: dict[str, Any], kind: str) -> Iterator[str]:
    """Of the file itself; what failed in its ingredients before is theirs."""
    results = found.get("validation_results", {}).get("activeManifest", {})
    for result in results.get(kind, []):
        yield result["code"]
