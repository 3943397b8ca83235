"""What a picture is made from, and of: content, style, mask; and what it is once it is made."""

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from app.db.intake import NewAsset
from app.db.models import AssetKind
from app.errors import InvalidImage
from app.sources import naming_the_mask
from app.storage import asset_key
from workers.asks import Cost
from workers.finish import SOFTENED, Shape, Veil
from workers.studio import Picture, Work, Workplace
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


def picture(
    work: Work, content: bytes, width: int, height: int, cost: Cost, media_type: str = ""
) -> Picture:
    """A finished output: an asset of the job's tenant, in the format it asked for."""
    asset = NewAsset(
        tenant_id=work.row.tenant_id,
        digest=sha256(content).hexdigest(),
        kind=AssetKind.OUTPUT,
        media_type=media_type or work.parameters.output.format.media_type,
        bytes=len(content),
        width=width,
        height=height,
    )
    return Picture(asset, content, cost)
