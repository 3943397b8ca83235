"""The ONNX Runtime engine: one class, the execution provider is an argument."""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

import numpy as np
import onnxruntime as ort

from app.errors import CatalogCorrupt, EngineUnavailable
from workers.engines.base import Affines, Embeddings, Parts, Pictures, Strengths

Provider: TypeAlias = Literal["cpu", "cuda", "tensorrt"]

NAMES: Final[dict[Provider, str]] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
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
        *,
        stylizer: str | None = None,
        parts: Parts | None = None,
        provider: Provider = "cpu",
        precision: str = "full",
        device: int = 0,
        threads: int = 0,
        memory_limit: int | None = None,
    ) -> None:
        """
        Load `model` if its SHA-256 is `digest`; 0 `threads` means one per core we may use.

        `stylizer` is the digest by which styles know the network, where `model` is the same
        network in another `precision`. Without `parts` it draws whole pictures only. Raises
        `CatalogCorrupt` (not the file of the card) or `EngineUnavailable`.
        """
        self.name = f"onnxruntime-{provider}" + (f"-{precision}" if precision != "full" else "")
        self.device = f"{'cpu' if provider == 'cpu' else 'cuda'}:{device}"
        self.stylizer_digest: str | None = stylizer or digest
        self.reach = None if parts is None else parts.reach

        self._once = _once(provider)

        def opened(graph: Path, digest: str) -> ort.InferenceSession:
            content = _verified(graph, digest)
            return _open(content, graph, provider, device, threads, memory_limit)

        def load() -> None:
            self._session = opened(model, digest)
            self._embedding_size = _check_contract(self._session, model, CONTRACT, STYLIZED)
            if parts is not None:
                self._statistics, self._tiles = opened(*parts.statistics), opened(*parts.tiles)
                _check_parts(self._statistics, self._tiles, parts)

        self._load = load
        load()

    def stylize(
        self,
        content: Pictures,
        style: Embeddings,
        strength: Strengths,
        *,
        out: Pictures | None = None,
    ) -> Pictures:
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
        blank = np.zeros(WARM_UP, np.uint8)
        style = np.zeros((1, self._embedding_size), np.float32)
        self.stylize(blank, style, np.ones(1, np.float32))

    def close(self) -> None:
        for session in ("_session", "_statistics", "_tiles"):
            self.__dict__.pop(session, None)


def _verified(model: Path, digest: str) -> bytes:
    try:
        content = model.read_bytes()
    except OSError as error:
        raise EngineUnavailable(f"the model cannot be read: {error}") from error
    found = sha256(content).hexdigest()
    if found != digest:
        raise CatalogCorrupt(
            f"{model} has digest {found[:12]}..., but its card says {digest[:12]}...; "
            "one of the two files belongs to another release."
        )
    return content


def _open(
    content: bytes,
    model: Path,
    provider: Provider,
    device: int,
    threads: int,
    memory_limit: int | None,
) -> ort.InferenceSession:
    wanted = NAMES[provider]
    built = ort.get_available_providers()
    if wanted not in built:
        raise EngineUnavailable(
            f"this build of ONNX Runtime has no {wanted}, only {', '.join(built)}; "
            "install the worker-gpu extra, or set IMPASTO_ENGINE__PROVIDER=cpu."
        )
    try:
        session = ort.InferenceSession(
            content,  # bytes have no folder, so no initializer can point at another file
            _session_options(provider, threads, memory_limit),
            providers=[(wanted, _provider_options(provider, device, memory_limit))],
            enable_fallback=0,
        )
    except Exception as error:  # the runtime's exceptions share no base of their own
        raise EngineUnavailable(f"{model} does not load on {wanted}: {error}") from error
    granted = session.get_providers()[0]
    if granted != wanted:
        raise EngineUnavailable(f"asked for {wanted}, ONNX Runtime granted {granted}")
    return session


@cache
def _limit_arena(limit: int) -> None:
    """One arena for all sessions of this process, which fails beyond so many bytes."""
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    as_requested = 1  # doubling would find the limit at half of it
    arena = ort.OrtArenaCfg({"max_mem": limit, "arena_extend_strategy": as_requested})
    ort.create_and_register_allocator(memory, arena)


def _session_options(
    provider: Provider, threads: int, memory_limit: int | None
) -> ort.SessionOptions:
    options = ort.SessionOptions()
    on_cpu = provider == "cpu"
    # Counted here: the runtime's own count ignores that we may be pinned to fewer cores.
    cores = threads or len(os.sched_getaffinity(0))
    options.intra_op_num_threads = cores if on_cpu else 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL  # the graph is one chain
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Waiting threads would spin on the cores that decode and encode, and gain nothing: 250 ms of
    # CPU time for a 512-pixel picture on two cores with spinning, 200 ms without.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without the arena every activation is mapped and zeroed anew: a third more CPU time.
    options.enable_cpu_mem_arena = True
    # Plans are kept for every shape ever seen; they gained nothing and cost memory.
    options.enable_mem_pattern = False
    # Our operators have one way each on a CPU, whose sums are cut the same for every run; on a GPU
    # this rules out reductions by atomic additions. Not run there yet.
    options.use_deterministic_compute = True
    if on_cpu and memory_limit is not None:
        _limit_arena(memory_limit)
        options.add_session_config_entry("session.use_env_allocators", "1")
    if not on_cpu:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        # Weights outside the arena, so that it can shrink to nothing.
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return options


def _provider_options(provider: Provider, device: int, memory_limit: int | None) -> dict[str, Any]:
    """The GPU settings follow the runtime's documents and issues; we have not run them yet."""
    match provider:
        case "cpu":
            return {}
        case "cuda":
            return {
                "device_id": device,
                # Any shape may follow any other: searching anew for each takes 140 ms a call.
                "cudnn_conv_algo_search": "HEURISTIC",
                "cudnn_conv_use_max_workspace": "1",
                # Asking for exactly what a shape needs fragments when shapes vary.
                "arena_extend_strategy": "kNextPowerOfTwo",
                "do_copy_in_default_stream": "1",
                "use_tf32": "1",
                **({} if memory_limit is None else {"gpu_mem_limit": str(memory_limit)}),
            }
        case "tensorrt":
            # Engines are built per shape on first use; caching them on disk needs a key of
            # model, card and driver, and comes with the first fleet that wants it.
            return {"device_id": device, "trt_fp16_enable": False}


def _once(provider: Provider) -> ort.RunOptions:
    """For a graph that runs once a picture: the 600 MB it used are not kept for the next."""
    options = ort.RunOptions()
    if provider == "cpu":
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


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
