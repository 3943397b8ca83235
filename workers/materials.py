"""What a picture is made from, and of: content, style, mask; and what it is once it is made."""

from hashlib import sha256
from time import perf_counter, thread_time

import numpy as np
from numpy.typing import NDArray

from app import images
from app.db.intake import NewAsset
from app.db.models import AssetKind
from app.domain.renditions import Rendition
from app.errors import InvalidImage
from app.sources import naming_the_mask
from app.storage import asset_key
from workers.asks import Cost
from workers.codec.child import Alpha, Pixels
from workers.finish import SOFTENED, Shape, Veil
from workers.frames import Drawing
from workers.marking.mark import Mark, style_text
from workers.marking.notary import Sealed, has_credentials
from workers.studio import Finished, Picture, Work, Workplace
from workers.variation import varied


def stored(place: Workplace, work: Work, digest: str) -> bytes:
    """The bytes of an asset of the job's tenant. Raises `InvalidImage` where they are others."""
    content = place.storage.get(asset_key(work.row.tenant_id, digest))
    return checked(content, digest)


def checked(content: bytes, digest: str) -> bytes:
    """The bytes, if they have the digest that they were accepted under."""
    if sha256(content).hexdigest() != digest:
        raise InvalidImage("The stored picture no longer has the digest it was accepted under.")
    return content


def style(place: Workplace, work: Work) -> NDArray[np.float32]:
    """float32 [K] as the job asked for it. Raises `StylizerElsewhere`."""
    embedding = place.stylebook.embedding(work.row.style_version_id, work.parameters.mix)
    return varied(embedding, work.parameters.variation)


def veil(place: Workplace, work: Work, shape: Shape) -> Veil | None:
    """What is kept of a content picture of that shape."""
    mask = work.parameters.mask
    if mask is None:
        return None
    with naming_the_mask():
        decoded = place.decode(stored(place, work, mask.digest), min(max(shape), SOFTENED))
    return Veil(decoded.pixels, shape, mask.feather)


def content_of(place: Workplace, work: Work) -> bytes:
    """The content picture; whether it may carry Content Credentials is noted on the way."""
    content = stored(place, work, work.row.content_digest)
    if place.notary is not None and place.notary.keeps_incoming and has_credentials(content):
        work.credentials = images.media_type(content)
    return content


def marked(
    place: Workplace, work: Work, content: bytes, rendition: Rendition | None = None
) -> Sealed:
    """The file with what it says of itself, signed. Raises `SignerAway` or `NotMarked`."""
    if place.notary is None:
        return Sealed(content)
    start = perf_counter()
    place.leases.stage(work.held, "sign")
    row, parameters, book = work.row, work.parameters, place.stylebook
    facts = book.facts(row.style_version_id, parameters.mix)
    output = parameters.output if rendition is None else rendition.output
    told = () if rendition is None else (rendition,)
    mark = Mark(
        media_type=output.format.media_type,
        style=style_text(facts, parameters.mix),
        styles=facts,
        stylizer=place.stylizer,
        content=row.content_digest,
        content_type=work.credentials,
        parameters=parameters.model_copy(update={"renditions": told}),
        render_key=row.render_key,
    )
    # Fetched again: few have any, and none is held while it waits for its turn.
    incoming = stored(place, work, row.content_digest) if work.credentials else None
    sealed = place.notary.mark(content, mark, incoming)
    work.timings["sign"] = work.timings.get("sign", 0.0) + perf_counter() - start
    return sealed


def picture(
    work: Work, sealed: Sealed, width: int, height: int, cost: Cost, media_type: str = ""
) -> Picture:
    """A finished output: an asset of the job's tenant, in the format it asked for."""
    media_type = media_type or work.parameters.output.format.media_type
    asset = _asset(work, sealed.content, width, height, media_type)
    return Picture(asset, sealed.content, sealed, cost)


def add_renditions(place: Workplace, work: Work, pixels: Pixels, alpha: Alpha | None) -> None:
    """What else the job's preset wants of the drawing: each file framed, encoded and signed."""
    wanted = work.parameters.renditions
    if not wanted:
        return
    drawing, before = Drawing(pixels, alpha), thread_time()
    for rendition in wanted:
        start = perf_counter()
        place.leases.stage(work.held, "encode")
        framed = drawing.framed(rendition)
        content = place.encode(framed.pixels, framed.alpha, rendition.output)
        took = perf_counter() - start
        work.timings["renditions"] = work.timings.get("renditions", 0.0) + took
        sealed = marked(place, work, content, rendition)
        height, width = framed.pixels.shape[:2]
        asset = _asset(work, sealed.content, width, height, rendition.format.media_type)
        work.renditions[rendition.name] = Finished(asset, sealed.content, sealed)
    work.renditions_ms = 1000 * (thread_time() - before)


def _asset(work: Work, content: bytes, width: int, height: int, media_type: str) -> NewAsset:
    return NewAsset(
        tenant_id=work.row.tenant_id,
        digest=sha256(content).hexdigest(),
        kind=AssetKind.OUTPUT,
        media_type=media_type,
        bytes=len(content),
        width=width,
        height=height,
    )
