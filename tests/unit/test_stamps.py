"""Time stamps (RFC 3161), from a real authority: they come along, and outlive the certificate."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from app.credentials import Credentials, State, read, reading
from app.domain.parameters import OutputFormat
from app.errors import SignerAway
from tests import kms
from tests.loopback import Received, reply, serving
from tests.stamps import ANSWER, Authority, needs_openssl
from tests.unit.test_marking import drawn, mark
from tests.unit.test_signers import Office, opened
from workers.marking.notary import Sealed

pytestmark = needs_openssl


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def stamped(
    office: Office, authority: Authority, format: OutputFormat = OutputFormat.JPEG
) -> Sealed:
    with serving(authority) as tsa, opened(office.settings(timestamp_url=tsa.url)) as notary:
        return notary.mark(drawn(format), mark(format))


def found(sealed: Sealed, *roots: str, format: OutputFormat = OutputFormat.JPEG) -> Credentials:
    """What those say who trust these roots."""
    return read(BytesIO(sealed.content), format.media_type, reading("\n".join(roots) or None))


@pytest.mark.parametrize("format", list(OutputFormat))
def test_a_stamp_comes_along_and_says_when_it_was_signed(
    tmp_path: Path, authority: Authority, format: OutputFormat
) -> None:
    office, before = Office(tmp_path), datetime.now(UTC)
    sealed = stamped(office, authority, format)
    told = found(sealed, office.root, authority.root, format=format)
    assert (told.state, told.failures) == (State.TRUSTED, ())
    assert told.signed is not None
    assert told.signed.at == sealed.stamped_at
    assert told.signed.at_trusted
    second = timedelta(seconds=1)  # stamps have whole ones
    assert before - second <= (sealed.stamped_at or before) <= datetime.now(UTC) + second


def test_a_key_elsewhere_and_an_authority_work_together(
    tmp_path: Path, authority: Authority
) -> None:
    office = Office(tmp_path)
    with serving(authority) as tsa, kms.running(office.secret) as signer:
        office.secret.unlink()
        settings = office.settings(
            key=None, signer_url=signer.url, signer_token=kms.TOKEN, timestamp_url=tsa.url
        )
        with opened(settings) as notary:
            sealed = notary.mark(drawn(), mark())
    told = found(sealed, office.root, authority.root)
    assert (told.state, told.signed and told.signed.at_trusted) == (State.TRUSTED, True)


def test_an_authority_that_nobody_trusts_stamps_all_the_same(
    tmp_path: Path, authority: Authority
) -> None:
    office = Office(tmp_path)
    sealed = stamped(office, authority)
    told = found(sealed, office.root).signed
    assert told is not None
    assert (told.at, told.at_trusted) == (sealed.stamped_at, False)
    anybody = found(sealed)
    assert anybody.state is State.UNTRUSTED
    assert anybody.signed is not None
    assert (anybody.signed.at, anybody.signed.at_trusted) == (sealed.stamped_at, False)


def test_without_an_authority_nobody_says_when(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with opened(office.settings()) as notary:
        sealed = notary.mark(drawn(), mark())
    told = found(sealed, office.root).signed
    assert told is not None
    assert (told.at, sealed.stamped_at) == (None, None)


def test_what_was_stamped_outlives_the_certificate(tmp_path: Path, authority: Authority) -> None:
    office = Office(tmp_path, until=datetime.now(UTC) + timedelta(seconds=5))
    with opened(office.settings()) as notary:
        plain = notary.mark(drawn(), mark())
    sealed = stamped(office, authority)
    both = office.root, authority.root
    assert found(plain, *both).state is found(sealed, *both).state is State.TRUSTED
    asked = monotonic()
    while found(plain, *both).state is not State.EXPIRED:
        assert monotonic() - asked < 20
    assert found(sealed, *both).state is State.TRUSTED
    # A stamp by who knows whom proves nothing.
    assert found(sealed, office.root).state is State.EXPIRED


Wrong = Callable[[Authority, bytes], bytes]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda authority, query: reply(200, b"no stamp", Content_Type=ANSWER),
        lambda authority, query: reply(200, b"", Content_Type=ANSWER),
        lambda authority, query: reply(503),
        lambda authority, query: reply(200, authority.answer(b"no query"), Content_Type=ANSWER),
    ],
    ids=["no stamp", "nothing", "away", "refusal"],
)
def test_a_stamp_that_is_none_signs_nothing(
    tmp_path: Path, authority: Authority, wrong: Wrong
) -> None:
    broken = Event()

    def script(received: Received) -> Iterable[bytes]:
        yield from [wrong(authority, received.body)] if broken.is_set() else authority(received)

    office = Office(tmp_path)
    with serving(script) as tsa, opened(office.settings(timestamp_url=tsa.url)) as notary:
        broken.set()
        with pytest.raises(SignerAway, match="stamp"):
            notary.mark(drawn(), mark())
        broken.clear()
        assert notary.mark(drawn(), mark()).stamped_at is not None


def test_the_stamp_of_another_picture_signs_nothing(tmp_path: Path, authority: Authority) -> None:
    kept: list[bytes] = []

    def script(received: Received) -> Iterable[bytes]:
        kept.append(kept[0] if kept else authority.answer(received.body))
        yield reply(200, kept[-1], Content_Type=ANSWER)

    office = Office(tmp_path)
    with (
        serving(script) as tsa,
        opened(office.settings(timestamp_url=tsa.url)) as notary,
        pytest.raises(SignerAway),
    ):
        notary.mark(drawn(), mark())
    assert len(kept) == 2
