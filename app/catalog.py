"""The styles and stylizers we ship: read from files, checked, and written to the database once."""

import json
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import Style, StyleVersion, Stylizer
from app.domain.licence import Licence, Terms, terms_of
from app.domain.style import SLUG, StyleStatus
from app.errors import CatalogCorrupt
from app.settings import Settings
from app.weights import Trust, check, trust

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Card = TypeVar("Card", bound=BaseModel)

SIGNATURE = "model.sig"  #: beside a model.json; what it vouches for is in its folder
STYLES_SIGNATURE = "styles.sig"  #: beside the folder of styles


class Graph(BaseModel):
    """Another file of a network, beside `model.onnx`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    file: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.onnx$")]
    digest: Digest


class StylizerCard(BaseModel):
    """One network: `stylizers/<name>-<version>/model.json`, beside its `model.onnx`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    version: str
    digest: Digest
    embedding_size: Annotated[int, Field(gt=0)]
    min_side: int = 32
    graphs: dict[str, Graph] = {}
    receptive_field: Annotated[int, Field(gt=0)] | None = Field(
        None, description="How far, in pixels, the network looks to each side."
    )

    @property
    def draws_tiles(self) -> bool:
        """Whether it can draw a picture in parts; else only what fits one call."""
        return self.receptive_field is not None and {"statistics", "tiles"} <= self.graphs.keys()

    @property
    def id(self) -> str:
        return f"{self.name}-{self.version}"


class Embedding(BaseModel):
    """A style as numbers for one stylizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: Literal["float32"]
    shape: tuple[int]
    base64: str

    def content(self) -> bytes:
        """float32, little-endian."""
        return b64decode(self.base64, validate=True)


class Preview(BaseModel):
    """What a style does to photographs that anybody may show: a JPEG beside its card."""

    model_config = ConfigDict(extra="allow", frozen=True)

    file: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*\.jpg$")]
    sha256: Digest


class StyleCard(BaseModel):
    """One style: `styles/<slug>.json`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    slug: Annotated[str, Field(pattern=rf"^{SLUG}$")]
    version: Annotated[int, Field(gt=0)]
    title: str
    licence: Licence
    preview: Preview | None = None
    embeddings: dict[str, Embedding]

    @property
    def pin(self) -> str:
        """The name that means this version alone."""
        return f"{self.slug}@{self.version}"

    def public(self) -> dict[str, Any]:
        """The card without its numbers: what people read."""
        return self.model_dump(mode="json", exclude={"embeddings"})


class Catalog:
    """The files of one catalog folder, read and checked; also for who vouches, where `trust` is."""

    def __init__(self, root: Path, trust: Trust | None = None) -> None:
        """Raises `CatalogCorrupt`, and `WeightsUntrusted` for what `trust` does not take."""
        self.root = root
        cards = [_stylizer(path, trust) for path in sorted(root.glob("stylizers/*/model.json"))]
        self.stylizers = {card.id: card for card in cards}
        self.styles = _styles(root, trust)
        if not self.stylizers or not self.styles:
            raise CatalogCorrupt(
                f"{root} holds no stylizer or no style; point IMPASTO_CATALOG at a catalog folder."
            )
        for style in self.styles:
            self._check(style)

    def stylizer(self, name: str) -> StylizerCard:
        """The card of `light-0.3.0`. Raises `CatalogCorrupt` with the names there are."""
        if name not in self.stylizers:
            known = ", ".join(sorted(self.stylizers))
            raise CatalogCorrupt(f"{self.root} holds no stylizer {name!r}, only {known}.")
        return self.stylizers[name]

    def model(self, name: str) -> Path:
        """Where that stylizer's ONNX file lies."""
        return self._folder(name) / "model.onnx"

    def graph(self, name: str, graph: str) -> Path:
        """Where another graph of that stylizer lies."""
        return self._folder(name) / self.stylizer(name).graphs[graph].file

    def _folder(self, name: str) -> Path:
        return self.root / "stylizers" / self.stylizer(name).id

    def preview(self, style: StyleCard) -> Path | None:
        """Where the picture of a style lies, if it has one."""
        return self.root / "styles" / style.preview.file if style.preview else None

    def _check(self, style: StyleCard) -> None:
        self._check_preview(style)
        for name, embedding in style.embeddings.items():
            size = self.stylizer(name).embedding_size
            try:
                content = embedding.content()
            except Base64Error as error:
                raise CatalogCorrupt(f"styles/{style.slug}.json: embedding: {error}") from error
            if embedding.shape != (size,) or len(content) != 4 * size:
                raise CatalogCorrupt(
                    f"styles/{style.slug}.json: {name} takes {size} numbers; "
                    f"this file holds {len(content) // 4}."
                )

    def _check_preview(self, style: StyleCard) -> None:
        path = self.preview(style)
        if path is None or style.preview is None:
            return
        if not path.is_file() or sha256(path.read_bytes()).hexdigest() != style.preview.sha256:
            raise CatalogCorrupt(f"{path} is not the preview that the card of {style.slug} names.")


def open_catalog(settings: Settings) -> Catalog:
    """
    What a process serves from: every stylizer, and every style that ships, vouched for.

    Graphs are hashed where they are loaded, against their card, which is signed. Raises
    `CatalogCorrupt` and `WeightsUntrusted`.
    """
    return Catalog(settings.catalog, trust(settings.weights))


def signed_folders(root: Path) -> dict[Path, Path]:
    """The signature of every folder that has one, or should, by folder."""
    stylizers = (path.parent for path in sorted(root.glob("stylizers/*/model.json")))
    return {one: one / SIGNATURE for one in stylizers} | {root / "styles": root / STYLES_SIGNATURE}


def sync(session: Session, catalog: Catalog) -> None:
    """
    Write what is new. A version once written never changes: other numbers need a new version.

    Raises `CatalogCorrupt` when a file differs from what the database holds under its name.
    """
    for card in catalog.stylizers.values():
        _add_stylizer(session, card)
    for style in catalog.styles:
        session.execute(
            insert(Style).values(slug=style.slug, title=style.title).on_conflict_do_nothing()
        )
        for name, embedding in style.embeddings.items():
            _add_version(session, style, catalog.stylizer(name), embedding.content())


def _add_stylizer(session: Session, card: StylizerCard) -> None:
    values = {
        "digest": card.digest,
        "name": card.name,
        "version": card.version,
        "embedding_size": card.embedding_size,
        "card": card.model_dump(mode="json"),
    }
    session.execute(insert(Stylizer).values(values).on_conflict_do_nothing())
    same = select(Stylizer.digest).where(
        Stylizer.name == card.name, Stylizer.version == card.version
    )
    if session.scalars(same).one() != card.digest:
        raise CatalogCorrupt(
            f"Stylizer {card.id} is in the database with another digest; "
            "a changed model needs a new version, or a new --data directory."
        )


def _add_version(session: Session, style: StyleCard, card: StylizerCard, numbers: bytes) -> None:
    values = {
        "slug": style.slug,
        "version": style.version,
        "stylizer_digest": card.digest,
        "status": StyleStatus.ACTIVE,
        "embedding": numbers,
        "card": style.public(),
        "valid_until": style.licence.valid_until,
    }
    row = StyleVersion.__table__
    keys = [row.c.slug, row.c.version, row.c.stylizer_digest]
    statement = insert(StyleVersion).values(values)
    session.execute(statement.on_conflict_do_nothing(index_elements=keys))
    written = session.execute(
        select(StyleVersion.embedding, StyleVersion.card).where(
            StyleVersion.slug == style.slug,
            StyleVersion.version == style.version,
            StyleVersion.stylizer_digest == card.digest,
        )
    ).one()
    if terms_of(written.card) != Terms.model_validate(style.public()["licence"]):
        raise CatalogCorrupt(
            f"Style {style.slug}@{style.version} is in the database under other terms; "
            "a changed licence needs a new version."
        )
    if sha256(written.embedding or b"").digest() != sha256(numbers).digest():
        raise CatalogCorrupt(
            f"Style {style.slug}@{style.version} is in the database with another embedding; "
            "a changed style needs a new version."
        )


def _stylizer(path: Path, trust: Trust | None) -> StylizerCard:
    signed = None if trust is None else trust.files(path.with_name(SIGNATURE))
    return _read(StylizerCard, path, signed)


def _styles(root: Path, trust: Trust | None) -> list[StyleCard]:
    paths = sorted(root.glob("styles/*.json"))
    if trust is None or not paths:
        return [_read(StyleCard, path) for path in paths]
    signed = trust.files(root / STYLES_SIGNATURE)
    missing = sorted(signed.keys() - {path.name for path in root.glob("styles/*")})
    if missing:
        raise CatalogCorrupt(f"{root / 'styles'} lacks {', '.join(missing)}, which was signed.")
    own = [path for path in paths if path.name not in signed and trust.unsigned_styles]
    return [_read(StyleCard, path, None if path in own else signed) for path in paths]


def _read(kind: type[Card], path: Path, signed: Mapping[str, str] | None = None) -> Card:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CatalogCorrupt(f"{path}: {error}") from error
    if signed is not None:
        check(path, content, signed)
    try:
        return kind.model_validate(json.loads(content))
    except (ValidationError, ValueError) as error:
        raise CatalogCorrupt(f"{path}: {error}") from error
