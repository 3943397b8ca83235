"""The ONNX Runtime engine: one class, the execution provider is an argument."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
import onnxruntime as ort

from app.errors import CatalogCorrupt
from workers.engines import options, sessions
from workers.engines.base import Affines, Embeddings, Parts, Pictures, Strengths
from workers.engines.hot import HotLane
from workers.engines.options import Lane, Wishes

CONTENT: Final = {"content": "tensor(uint8)"}
CONTRACT: Final = CONTENT | {"style": "tensor(float)", "strength": "tensor(float)"}
TILES: Final = CONTENT | {"affine": "tensor(float)"}
STYLIZED: Final = {"stylized": "tensor(uint8)"}
AFFINE: Final = {"affine": "tensor(float)"}
WARM_UP: Final = (1, 64, 64, 3)


class OrtEngine:
    """
    Owns the sessions of one stylizer on one device, one for each of its graphs.

    All are opened at the start, though few workers meet a large picture: the two for tiles take
    90 ms and 6 MB, and a file that does not fit is better found then.

    ONNX Runtime quietly serves from the CPU when a provider cannot start. A GPU worker that
    does so is worse than one that does not boot: we ask for one provider and check the answer.
    """

    def __init__(
        self,
        model: Path,
        digest: str,
        wishes: Wishes = Wishes(),  # noqa: B008 - frozen
        *,
        stylizer: str | None = None,
        parts: Parts | None = None,
        hot: Sequence[Lane] = (),
    ) -> None:
        """
        Load `model` if its SHA-256 is `digest`, for any shape and for each of the `hot` lanes.

        `stylizer` is the digest by which styles know the network, where `model` is the same
        network in another precision. Without `parts` it draws whole pictures only. Raises
        `CatalogCorrupt` (not the file of the card) or `EngineUnavailable`.
        """
        kind, precision = wishes.provider, wishes.precision
        self.name = f"onnxruntime-{kind}" + (f"-{precision}" if precision != "full" else "")
        self.device = f"{'cpu' if kind == 'cpu' else 'cuda'}:{wishes.device}"
        self.stylizer_digest: str | None = stylizer or digest
        self.reach = None if parts is None else parts.reach
        self._once = sessions.once(wishes)
        self._model, self._wishes, self._parts, self._lanes = (model, digest), wishes, parts, hot
        self._load()

    def _load(self) -> None:
        sessions.check_build(self._wishes)
        self._session = self._opened(*self._model)
        size = _check_contract(self._session, self._model[0], CONTRACT, STYLIZED)
        self._embedding_size = size
        self._hot = {(one.pictures, one.height, one.width): self._lane(one) for one in self._lanes}
        if self._parts is not None:
            self._statistics = self._opened(*self._parts.statistics)
            self._tiles = self._opened(*self._parts.tiles)
            _check_parts(self._statistics, self._tiles, self._parts)

    def _opened(self, graph: Path, digest: str) -> ort.InferenceSession:
        content = sessions.verified(graph, digest)
        return sessions.opened(content, graph, self._wishes, options.providers(self._wishes))

    def _lane(self, lane: Lane) -> HotLane:
        (model, digest), wishes = self._model, self._wishes
        on_tensorrt = wishes.provider == "tensorrt"
        told = options.providers(
            wishes,
            lane=lane,
            digest=digest,
            embedding=self._embedding_size,
            versions=sessions.versions(wishes.device) if on_tensorrt else None,
        )
        for path in (told[0][1].get(f"trt_{of}_cache_path") for of in ("engine", "timing")):
            if path is not None:
                Path(path).mkdir(parents=True, exist_ok=True)
        session = sessions.opened(sessions.verified(model, digest), model, wishes, told, lane)
        kind = "cpu" if wishes.provider == "cpu" else "cuda"
        return HotLane(
            session, lane, self._embedding_size, kind, wishes.device if kind == "cuda" else 0
        )

    def stylize(
        self,
        content: Pictures,
        style: Embeddings,
        strength: Strengths,
        *,
        out: Pictures | None = None,
    ) -> Pictures:
        if lane := self._hot.get(content.shape[:3]):
            drawn = lane.draw(content, style, strength)
            if out is None:
                return drawn
            np.copyto(out, drawn)
            return out
        feeds = {"content": content, "style": style, "strength": strength}
        if out is None:
            return cast(Pictures, self._session.run(["stylized"], feeds)[0])
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        binding.bind_output("stylized", "cpu", 0, out.dtype, out.shape, out.ctypes.data)
        self._session.run_with_iobinding(binding)
        return out

    def measure(self, content: Pictures, style: Embeddings, strength: Strengths) -> Affines:
        feeds = {"content": content, "style": style, "strength": strength}
        return cast(Affines, self._statistics.run(["affine"], feeds, self._once)[0])

    def paint(self, content: Pictures, affine: Affines) -> Pictures:
        feeds = {"content": content, "affine": affine}
        return cast(Pictures, self._tiles.run(["stylized"], feeds)[0])

    def renew(self) -> None:
        self.close()  # before new ones are opened: there may not be room for both
        self._load()

    def warm_up(self) -> None:
        for shape in [WARM_UP, *((*shape, 3) for shape in self._hot)]:
            style = np.zeros((shape[0], self._embedding_size), np.float32)
            self.stylize(np.zeros(shape, np.uint8), style, np.ones(shape[0], np.float32))

    def close(self) -> None:
        for session in ("_session", "_statistics", "_tiles", "_hot"):
            self.__dict__.pop(session, None)


def _check_parts(
    statistics: ort.InferenceSession, tiles: ort.InferenceSession, parts: Parts
) -> None:
    _check_contract(statistics, parts.statistics[0], CONTRACT, AFFINE)
    size = _check_contract(tiles, parts.tiles[0], TILES, STYLIZED)
    found = statistics.get_outputs()[0].shape[1]
    if found != size:
        raise CatalogCorrupt(
            f"{parts.statistics[0]} finds {found} numbers, {parts.tiles[0]} takes {size}."
        )


def _check_contract(
    session: ort.InferenceSession, model: Path, takes: dict[str, str], gives: dict[str, str]
) -> int:
    """The size of what describes a style to this graph, if it is one of ours."""
    inputs = {each.name: each for each in session.get_inputs()}
    outputs = {each.name: each.type for each in session.get_outputs()}
    types = {name: each.type for name, each in inputs.items()}
    if types != takes or outputs != gives:
        raise CatalogCorrupt(f"{model} takes {types} and gives {outputs}; a stylizer does not.")
    size = inputs["style" if "style" in takes else "affine"].shape[1]
    if not isinstance(size, int):
        raise CatalogCorrupt(f"{model} does not say how long a style is.")
    return size
