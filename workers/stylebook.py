"""The style embeddings this worker has met, as rows of its engine's input."""

from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.models import StyleVersion
from app.errors import StylizerElsewhere


class Stylebook:
    """
    Embeddings by style version; versions never change, so one look at the database is enough.

    `stylizer` is the digest of the network that will read them, None for any.
    """

    def __init__(self, stylizer: str | None) -> None:
        self._stylizer = stylizer
        self._embeddings: dict[UUID, NDArray[np.float32] | None] = {}

    def learn(self, session: Session, versions: set[UUID]) -> None:
        """Read the versions not met before."""
        new = versions - self._embeddings.keys()
        if not new:
            return
        for version in session.scalars(select(StyleVersion).where(StyleVersion.id.in_(new))):
            ours = self._stylizer in (None, version.stylizer_digest)
            numbers = np.frombuffer(version.embedding, "<f4")
            self._embeddings[version.id] = numbers if ours else None

    def embedding(self, version: UUID) -> NDArray[np.float32]:
        """float32 [K]. Raises `StylizerElsewhere` for another network's style."""
        numbers = self._embeddings[version]
        if numbers is None:
            raise StylizerElsewhere("This style belongs to a stylizer that runs elsewhere.")
        return numbers
