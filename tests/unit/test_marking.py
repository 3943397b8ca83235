"""Outputs say what they are: signed, whole, small, and with nothing of where they came from."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from app.catalog import Catalog
from app.credentials import State
from app.domain.parameters import Mask, Output, OutputFormat, Parameters
from app.settings import CATALOG, MarkingSettings
from tests.notaries import credentials, directory, new_notary
from tests.unit import pictures
from workers.codec.encode import encode
from workers.marking.mark import COMPOSITE, Mark, StyleFacts, style_text
from workers.marking.notary import BROKEN, has_credentials, open_notary
from workers.marking.packet import NAMESPACES, packet

PIXELS = np.asarray(pictures.photo())
STYLE = StyleFacts(
    "harbour@2", "Harbour", "A. Painter", "CC-BY-4.0", "The Gallery", "https://a.b/c"
)
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
KIB = 1024


def mark(format: OutputFormat = OutputFormat.JPEG, **changes: Any) -> Mark:
    plain = Mark(
        media_type=format.media_type,
        style="harbour@2",
        styles=(STYLE,),
        stylizer="5" * 64,
        content="c" * 64,
        parameters=Parameters(strength=0.7, output=Output(format=format)),
        render_key="e" * 64,
    )
    return replace(plain, **changes)


def drawn(format: OutputFormat = OutputFormat.JPEG) -> bytes:
    return encode(PIXELS, None, Output(format=format))


def marked(**changes: Any) -> bytes:
    return new_notary().mark(drawn(), mark(**changes)).content


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def description(content: bytes) -> ElementTree.Element:
    """The one description in a file's XMP."""
    with Image.open(BytesIO(content)) as picture:
        tree = ElementTree.fromstring(picture.info["xmp"])  # noqa: S314 - we have just written it
    [found] = tree.iter(f"{RDF}Description")
    return found


def name(prefixed: str) -> str:
    prefix, _, local = prefixed.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


@pytest.mark.parametrize("format", list(OutputFormat))
def test_every_format_reads_back_as_signed_by_us(format: OutputFormat) -> None:
    plain = drawn(format)
    sealed = new_notary().mark(plain, mark(format))
    found = credentials(sealed.content, format.media_type)
    assert (found.state, found.failures, found.label) == (State.TRUSTED, (), sealed.label)
    assert found.signed is not None
    assert found.signed.organisation == "Impasto, for development"
    with Image.open(BytesIO(plain)) as one, Image.open(BytesIO(sealed.content)) as other:
        assert one.tobytes() == other.tobytes()
        assert one.info.get("icc_profile") == other.info.get("icc_profile")
        assert one.info.get("srgb") == other.info.get("srgb")


def test_it_says_what_was_done_by_whom_and_with_what() -> None:
    found = credentials(marked())
    opened, filtered = found.actions
    assert (opened["action"], filtered["action"]) == ("c2pa.opened", "c2pa.filtered")
    assert filtered["digitalSourceType"] == COMPOSITE
    assert filtered["softwareAgent"]["name"] == "Impasto"
    [parent] = found.ingredients("parentOf")
    [style] = found.ingredients("inputTo")
    assert parent["instance_id"] == f"sha256:{'c' * 64}"
    assert style["title"] == "harbour@2"
    assert style["description"] == "Harbour, A. Painter; CC-BY-4.0, The Gallery"
    assert style["informational_URI"] == "https://a.b/c"


def test_it_says_what_draws_it_again() -> None:
    render = credentials(marked()).render
    assert render is not None
    assert render["style"] == "harbour@2"
    assert (render["content_sha256"], render["stylizer_sha256"]) == ("c" * 64, "5" * 64)
    assert Parameters.model_validate(render["parameters"]).strength == 0.7


def test_search_engines_read_it_in_xmp() -> None:
    found = description(marked())
    assert found.get(name("Iptc4xmpExt:DigitalSourceType")) == COMPOSITE
    assert found.get(name("Iptc4xmpExt:AISystemUsed")) == "Impasto"
    assert found.get(name("photoshop:Credit")) == "Style: Harbour, A. Painter"
    [licensor] = found.iter(name("plus:Licensor"))
    assert [one.get(name("plus:LicensorName")) for one in licensor.iter(f"{RDF}li")] == [
        "The Gallery"
    ]
    [render] = found.iter(name("impasto:render"))
    assert '"style":"harbour@2"' in (render.text or "")
    assert "e" * 64 in (render.text or "")


def test_no_thumbnail_of_anything_is_in_it() -> None:
    """It would show the customer's photograph, and weigh more than the picture."""
    found = credentials(marked())
    assert found.manifest is not None
    assert "thumbnail" not in str(found.manifest)
    assert b"c2pa.thumbnail" not in marked()


@pytest.mark.parametrize("format", list(OutputFormat))
def test_no_exif_and_no_place_is_in_it(format: OutputFormat) -> None:
    sealed = new_notary().mark(drawn(format), mark(format))
    with Image.open(BytesIO(sealed.content)) as picture:
        assert not picture.getexif()
        assert "exif" not in picture.info


def test_a_megapixel_grows_by_at_most_six_kib() -> None:
    picture = np.asarray(pictures.photo((1000, 1000)))
    plain = encode(picture, None, Output())
    for card in Catalog(CATALOG).styles:
        facts = StyleFacts.of(card.pin, card.public())
        told = mark(styles=(facts,), style=facts.pin)
        assert len(new_notary().mark(plain, told).content) - len(plain) <= 6 * KIB, facts.pin


def test_the_longest_mix_is_not_much_more() -> None:
    long = [replace(STYLE, pin=f"{n}{'x' * 60}@1", licensor="y" * 255) for n in range(8)]
    told = mark(
        styles=tuple(long),
        style=style_text(long, {one.pin: 0.125 for one in long}),
        parameters=Parameters(mask=Mask(digest="d" * 64), variation=7, keep_colour=0.5),
    )
    sealed = new_notary().mark(drawn(), told)
    assert credentials(sealed.content).state is State.TRUSTED
    assert len(sealed.content) - len(drawn()) <= 24 * KIB


@pytest.mark.parametrize("format", list(OutputFormat))
def test_a_changed_byte_is_told(format: OutputFormat) -> None:
    sealed = new_notary().mark(drawn(format), mark(format)).content
    store = sealed.index(b"jumb")
    places = [*range(40, store - 60, 97), *range(store + 6 * KIB, len(sealed), 97)]
    places += [sealed.index(word) for word in (b"The Gallery", b"harbour@2", b"c2pa.filtered")]
    told = [credentials(flipped(sealed, place), format.media_type).state for place in places]
    assert len(told) > 5
    assert State.TRUSTED not in told
    assert State.UNTRUSTED not in told


def test_saving_it_again_takes_its_credentials_away() -> None:
    out = BytesIO()
    with Image.open(BytesIO(marked())) as picture:
        picture.save(out, "JPEG")
    assert credentials(out.getvalue()).state is State.ABSENT


def test_who_does_not_know_the_root_reads_it_as_untrusted() -> None:
    from app.credentials import read, reading

    assert read(BytesIO(marked()), "image/jpeg", reading()).state is State.UNTRUSTED


@pytest.mark.parametrize("format", list(OutputFormat))
def test_incoming_credentials_come_along(format: OutputFormat) -> None:
    told = mark(format, content="a" * 64)
    before = new_notary().mark(drawn(format), told)
    assert has_credentials(before.content)
    assert not has_credentials(drawn(format))
    after = new_notary().mark(
        drawn(), mark(content_type=format.media_type), incoming=before.content
    )
    found = credentials(after.content)
    assert (found.state, found.earlier) == (State.TRUSTED, 1)
    [parent] = found.ingredients("parentOf")
    assert parent["active_manifest"] == before.label
    assert "validation_results" in parent


def test_a_photograph_changed_after_it_was_signed_is_said_to_be() -> None:
    before = marked()
    changed = flipped(before, len(before) - 40)
    after = new_notary().mark(drawn(), mark(content_type="image/jpeg"), incoming=changed)
    found = credentials(after.content)
    assert (found.state, found.earlier) == (State.TRUSTED, 1)
    [parent] = found.ingredients("parentOf")
    failed = parent["validation_results"]["activeManifest"]["failure"]
    assert "assertion.dataHash.mismatch" in {one["code"] for one in failed}


def test_broken_incoming_credentials_are_left_out_and_that_is_said() -> None:
    before = marked()
    broken = flipped(before, before.index(b"jumb") + 8)
    after = new_notary().mark(drawn(), mark(content_type="image/jpeg"), incoming=broken)
    found = credentials(after.content)
    assert (found.state, found.earlier) == (State.TRUSTED, 0)
    [parent] = found.ingredients("parentOf")
    assert parent["description"] == BROKEN


def test_whatever_a_photograph_brings_its_output_is_signed() -> None:
    """Some parse and cannot be signed over; one in a thousand signs and reads as broken."""
    before, chance = marked(), random.Random(4)
    start = before.index(b"jumb") - 40
    for _ in range(120):
        hostile = bytearray(before)
        for _ in range(chance.choice((1, 4, 64))):
            hostile[chance.randrange(start, start + 5 * KIB)] = chance.randrange(256)
        told = mark(content_type="image/jpeg")
        after = new_notary().mark(drawn(), told, incoming=bytes(hostile)).content
        assert credentials(after).state is State.TRUSTED


def test_nothing_is_claimed_where_nothing_was_drawn() -> None:
    """The null engine gives the photograph back."""
    content = marked(stylizer=None)
    found = credentials(content)
    assert [one["action"] for one in found.actions] == ["c2pa.opened", "c2pa.transcoded"]
    assert not any("digitalSourceType" in one for one in found.actions)
    assert found.ingredients("inputTo") == []
    described = description(content)
    assert described.get(name("Iptc4xmpExt:DigitalSourceType")) is None
    assert not list(described.iter(name("plus:Licensor")))


def test_strength_zero_went_through_the_network_and_says_so() -> None:
    found = credentials(marked(parameters=Parameters(strength=0.0)))
    assert found.actions[1]["digitalSourceType"] == COMPOSITE


def test_a_card_cannot_break_the_xmp() -> None:
    hostile = replace(
        STYLE, title='"><x:y a="\x01\x1b[31m', licensor="]]>&\x00'\ufffe", spdx="<script>" * 400
    )
    found = ElementTree.fromstring(packet(mark(styles=(hostile,))))  # noqa: S314 - ours
    assert len(list(found.iter())) == 10
    assert credentials(marked(styles=(hostile,))).state is State.TRUSTED


def test_a_card_that_says_little_is_enough() -> None:
    facts = StyleFacts.of("plain@1", {})
    found = credentials(marked(styles=(facts,), style="plain@1"))
    assert found.ingredients("inputTo")[0]["title"] == "plain@1"


def test_nobody_is_named_who_licenses_nothing() -> None:
    facts = StyleFacts.of("old@1", {"licence": {"spdx": "X", "licensor": "none: public domain"}})
    assert (facts.licensor, facts.terms) == (None, "X")


def test_many_threads_may_sign_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        sealed = list(pool.map(lambda _: new_notary().mark(drawn(), mark()), range(40)))
    assert len({one.label for one in sealed}) == 40
    assert {credentials(one.content).state for one in sealed} == {State.TRUSTED}


def test_what_was_signed_has_the_digest_that_is_written_down() -> None:
    sealed = new_notary().mark(drawn(), mark())
    assert sealed.manifest is not None
    assert sealed.certificate is not None
    assert len(sealed.manifest) == len(sealed.certificate) == 64


def test_marking_can_be_switched_off() -> None:
    assert open_notary(MarkingSettings(enabled=False, development=directory())) is None


def test_incoming_credentials_can_be_refused() -> None:
    notary = open_notary(MarkingSettings(incoming="drop", development=directory()))
    assert notary is not None
    assert notary.keeps_incoming is False


SPLICED: dict[OutputFormat, Callable[[bytes], bool]] = {
    OutputFormat.JPEG: lambda content: content[2:4] == b"\xff\xe0",
    OutputFormat.PNG: lambda content: content[12:16] == b"IHDR",
    OutputFormat.WEBP: lambda content: bool(content[20] & 0x04),
    OutputFormat.AVIF: lambda content: b"mimeXMP\0application/rdf+xml\0" in content,
}


@pytest.mark.parametrize("format", list(OutputFormat))
def test_alpha_and_xmp_live_in_one_file(format: OutputFormat) -> None:
    alpha = np.full(PIXELS.shape[:2], 128, np.uint8)
    content = encode(PIXELS, alpha, Output(format=format))
    sealed = new_notary().mark(content, mark(format)).content
    assert SPLICED[format](sealed)
    assert description(sealed).get(name("Iptc4xmpExt:DigitalSourceType")) == COMPOSITE
    with Image.open(BytesIO(content)) as one, Image.open(BytesIO(sealed)) as other:
        assert (one.mode, one.tobytes()) == (other.mode, other.tobytes())
