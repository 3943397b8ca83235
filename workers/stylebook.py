"""The style embeddings this worker has met, as rows of its engine's input."""

from collections.abc import Iterable
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, or_, select, tuple_
from sqlalchemy.orm import Session

from app.db.models import StyleVersion
from app.db.styles import pin
from app.domain.mix import Mix
from app.domain.style import plain
from app.errors import StylizerElsewhere
from workers.marking.mark import StyleFacts


class Stylebook:
    """
    Embeddings by style version, and by pinned name for mixes; versions never change, so one look
    at the database is enough.

    `stylizer` is the digest of the network that will read them, None for any.
    """

    def __init__(self, stylizer: str | None) -> None:
        self._stylizer = stylizer
        self._owners: dict[UUID, str] = {}  # the stylizers of versions
        self._names: dict[UUID, str] = {}
        self._embeddings: dict[tuple[str, str], NDArray[np.float32]] = {}
        self._facts: dict[tuple[str, str], StyleFacts] = {}
        self._met: set[str] = set()

    def learn(self, session: Session, versions: set[UUID], names: Iterable[str] = ()) -> None:
        """Read the versions not met before, and those that mixes name as they are pinned."""
        new, unmet = versions - self._owners.keys(), set(names) - self._met
        if not new and not unmet:
            return
        learned = StyleVersion.embedding.is_not(None)  # of the others there will be more to know
        for version in session.scalars(select(StyleVersion).where(learned, _among(new, unmet))):
            name = pin(version)
            numbers = np.frombuffer(version.embedding or b"", "<f4")
            self._embeddings[version.stylizer_digest, name] = numbers
            self._facts[version.stylizer_digest, name] = StyleFacts.of(plain(name), version.card)
            self._owners[version.id], self._names[version.id] = version.stylizer_digest, name
        self._met |= unmet

    def embedding(self, version: UUID, mix: Mix | None = None) -> NDArray[np.float32]:
        """
        float32 [K] of a version, or of the weighted sum of a mix, all of that version's stylizer.

        Raises `StylizerElsewhere` for another network's style.
        """
        owner = self._owners[version]
        if self._stylizer not in (None, owner):
            raise StylizerElsewhere("This style belongs to a stylizer that runs elsewhere.")
        if not mix:
            return self._embeddings[owner, self._names[version]]
        return mixed([self._embeddings[owner, name] for name in mix], list(mix.values()))

    def facts(self, version: UUID, mix: Mix | None = None) -> tuple[StyleFacts, ...]:
        """What the cards say of a version, or of all that a mix names; as of when we met it."""
        owner = self._owners[version]
        return tuple(self._facts[owner, name] for name in mix or [self._names[version]])

    def stylizer(self, version: UUID) -> str:
        """The digest of the network that the version is for."""
        return self._owners[version]


def mixed(embeddings: list[NDArray[np.float32]], shares: list[float]) -> NDArray[np.float32]:
    """float32 [K], the mean weighted by shares; computed in float64."""
    return np.average(np.stack(embeddings), axis=0, weights=shares).astype(np.float32)


def _among(versions: set[UUID], names: set[str]) -> ColumnElement[bool]:
    named = [(slug, int(number)) for slug, _, number in (name.rpartition("@") for name in names)]
    pair = tuple_(StyleVersion.slug, StyleVersion.version)
    return or_(StyleVersion.id.in_(versions), pair.in_(named))
