"""Signs finished pictures, last of all, and reads back what it signed."""

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from threading import Lock
from typing import Final, Self

from c2pa import Builder, C2paBuilderIntent, C2paError, Context
from PIL import Image

from app.credentials import OFFLINE, Signed, State, read, reading
from app.domain.parameters import OutputFormat
from app.errors import Misconfigured, NotMarked, SignerAway
from app.settings import MarkingSettings
from workers.marking.mark import Mark, content_ingredient, manifest
from workers.marking.packet import packet, tagged
from workers.marking.signers import Seal, open_seal

log = logging.getLogger(__name__)

LARGE: Final = 16 * 2**20  #: bytes; signing takes two to five times as many for a moment
EXPIRED: Final = "The certificate that signs outputs has expired; give another."
BROKEN: Final = "Its Content Credentials are broken and were left out."
STORE: Final = b"c2pa"  #: the label of every manifest store, in whatever format it lies


@dataclass(frozen=True, slots=True)
class Sealed:
    """A finished file, and what it was signed with; unsigned, only the file."""

    content: bytes
    drawn: str | None = None  #: SHA-256 of the file before its marks, in hex
    label: str | None = None  #: names the manifest
    manifest: str | None = None  #: SHA-256 of the manifest store, in hex
    certificate: str | None = None  #: SHA-256 of the certificate, in hex
    serial: str | None = None  #: of the certificate, decimal
    stamped_at: datetime | None = None  #: as the authority for time stamps has it


class Notary:
    """
    Marks outputs and signs them. One a process; any thread may call.

    Pictures larger than `LARGE` are signed one at a time.
    """

    def __init__(self, settings: MarkingSettings, seal: Seal) -> None:
        self._seal = seal
        self.own_certificate = seal.own
        self.keeps_incoming = settings.incoming == "keep"
        self._writing = Context.from_dict(
            {
                # Thumbnails would show the customer's photograph, and weigh more than the picture.
                "builder": {"thumbnail": {"enabled": False}},
                # That nobody vouches for who signed an incoming picture is written down with it.
                # Unsaid, it would cost the output the trust of all who do not know them, either.
                "verify": {**OFFLINE, "verify_after_sign": False, "verify_trust": True},
            }
        )
        self._reading = reading()
        self._asks_others = bool(settings.signer_url or settings.timestamp_url)
        self._stamped = settings.timestamp_url is not None
        self._large = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._seal.close()

    def mark(self, content: bytes, mark: Mark, incoming: bytes | None = None) -> Sealed:
        """
        The file with its marks; `incoming` is the content picture, where it has credentials.

        Raises `SignerAway` where nobody signs for now, `NotMarked` where c2pa cannot.
        """
        format = OutputFormat(mark.media_type.removeprefix("image/"))
        drawn = sha256(content).hexdigest()
        content = tagged(content, format, packet(mark))
        place: AbstractContextManager[object] = nullcontext()
        if max(len(content), len(incoming or b"")) > LARGE:
            place = self._large
        with place:
            return replace(self._marked(content, mark, incoming), drawn=drawn)

    def _marked(self, content: bytes, mark: Mark, incoming: bytes | None) -> Sealed:
        if incoming is None or not mark.content_type:
            return self._sealed(content, mark, self._without(mark))
        try:
            return self._sealed(content, mark, self._with(mark, incoming))
        except (C2paError, NotMarked, SignerAway) as error:  # most likely they are broken
            log.info("credentials of content %s are left out: %s", mark.content, error)
            return self._sealed(content, mark, self._without(mark, BROKEN))

    def try_out(self) -> None:
        """Sign a picture that nobody needs. Raises `Misconfigured`: better now than for each."""
        out = BytesIO()
        Image.new("RGB", (32, 32)).save(out, "JPEG")
        mark = Mark("image/jpeg", "none@1", (), "0" * 64, "0" * 64)
        try:
            self.mark(out.getvalue(), mark)
        except (NotMarked, SignerAway) as error:
            if isinstance(error, NotMarked) or not self._asks_others:
                raise Misconfigured(
                    f"Outputs cannot be signed with this certificate: {error}"
                ) from error
            log.warning("outputs cannot be signed for now: %s", error)

    def _sealed(self, content: bytes, mark: Mark, builder: Builder) -> Sealed:
        out = BytesIO()
        with builder:
            try:
                store = builder.sign(self._seal.signer, mark.media_type, BytesIO(content), out)
            except C2paError as error:
                raise self._refusal(error) from error
        content = out.getvalue()
        label, signed = self._checked(content, mark.media_type)
        return Sealed(
            content,
            label=label,
            manifest=sha256(store).hexdigest(),
            certificate=self._seal.certificate.fingerprint,
            serial=signed.serial,
            stamped_at=signed.at,
        )

    def _with(self, mark: Mark, incoming: bytes) -> Builder:
        """Raises `C2paError` for credentials that cannot be parsed."""
        builder = Builder(manifest(mark), self._writing)
        builder.set_intent(C2paBuilderIntent.EDIT)
        parent = content_ingredient(mark)
        builder.add_ingredient(parent, str(mark.content_type), BytesIO(incoming))
        return builder

    def _without(self, mark: Mark, note: str | None = None) -> Builder:
        builder = Builder(manifest(mark, content_ingredient(mark, note)), self._writing)
        builder.set_intent(C2paBuilderIntent.EDIT)
        return builder

    def _refusal(self, error: C2paError) -> NotMarked | SignerAway:
        trouble = self._seal.trouble()
        if trouble is not None:
            return trouble
        if self._seal.certificate.expired:
            return SignerAway(EXPIRED)
        if self._stamped and isinstance(error, C2paError.Signature):
            return SignerAway(f"The picture could not be signed and stamped: {error}")
        return NotMarked(f"The picture could not be signed: {error}")

    def _checked(self, content: bytes, media_type: str) -> tuple[str | None, Signed]:
        """What a reader finds in it. Raises `SignerAway` for less than was to be in it."""
        found = read(BytesIO(content), media_type, self._reading)
        if found.state not in (State.UNTRUSTED, State.TRUSTED) or found.signed is None:
            failures = ", ".join(found.failures) or found.state
            raise SignerAway(f"What was signed does not read back: {failures}.")
        if self._stamped and found.signed.at is None:
            raise SignerAway("The time stamp that was asked for is not in the picture.")
        return found.label, found.signed


def has_credentials(content: bytes) -> bool:
    """Whether a picture may carry Content Credentials; where it says no, it carries none."""
    return STORE in content


def open_notary(settings: MarkingSettings) -> Notary | None:
    """
    Who marks the outputs of this process; None where they are not to be marked.

    Raises `Misconfigured` for a certificate that cannot sign.
    """
    if not settings.enabled:
        return None
    notary = Notary(settings, open_seal(settings))
    notary.try_out()
    return notary
