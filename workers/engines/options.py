"""
What execution providers are told, by model and lane; pure, and the only place that knows.

The CUDA and TensorRT values follow the runtime's documents and issues. None was ever run by us on a
GPU: docs/fleet.md says which ones to measure first.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, TypeAlias

from app.errors import Misconfigured

Provider: TypeAlias = Literal["cpu", "cuda", "tensorrt"]
Search: TypeAlias = Literal["EXHAUSTIVE", "HEURISTIC"]
Options: TypeAlias = dict[str, str]
Providers: TypeAlias = list[tuple[str, Options]]

NAMES: Final[dict[Provider, str]] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
WORKSPACE: Final = 4 * 2**30  #: bytes that TensorRT may try its kernels with


@dataclass(frozen=True, order=True)
class Lane:
    """A hot lane: batches of exactly so many pictures of exactly this size."""

    height: int
    width: int
    pictures: int

    @classmethod
    def parse(cls, text: str) -> "Lane":
        """`512x384x4` is four pictures of 512 rows; `512x384` is one. Raises `Misconfigured`."""
        parts = text.lower().split("x")
        if len(parts) not in (2, 3) or not all(part.isdecimal() for part in parts):
            raise Misconfigured(f"{text!r} is no shape; write HEIGHTxWIDTH or HEIGHTxWIDTHxBATCH.")
        height, width, pictures = map(int, [*parts, "1"][:3])
        if min(height, width) < 32 or pictures < 1:
            raise Misconfigured(f"{text!r} is no shape: sides from 32 pixels, batches from 1.")
        return cls(height, width, pictures)

    def __str__(self) -> str:
        return f"{self.height}x{self.width}x{self.pictures}"


@dataclass(frozen=True)
class Versions:
    """What an engine built by TensorRT is good for, and nothing else."""

    ort: str
    tensorrt: str
    sm: str  #: compute capability, `90`


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the settings say of one device's engines."""

    provider: Provider = "cpu"
    precision: str = "full"
    device: int = 0
    threads: int = 0
    memory_limit: int | None = None  #: bytes of an arena
    search: Search = "EXHAUSTIVE"  #: in hot lanes
    graphs: bool = True  #: CUDA graphs in hot lanes
    cache: Path = Path("var/impasto/engines")


def needed(wishes: Wishes) -> list[str]:
    """The providers a build of the runtime must have."""
    if wishes.provider == "tensorrt":  # shapes that are not hot would each stall for a build
        return [NAMES["tensorrt"], NAMES["cuda"]]
    return [NAMES[wishes.provider]]


def providers(
    wishes: Wishes,
    *,
    lane: Lane | None = None,
    digest: str = "",
    embedding: int = 0,
    versions: Versions | None = None,
) -> Providers:
    """
    What a session is opened with, first choice first; it must be granted the first.

    Without a `lane` it takes any shape: TensorRT would build an engine for each, in 30 to 100 s,
    so there CUDA draws. `digest` is the graph's, `embedding` the length of a style.
    """
    if wishes.provider == "cpu":
        return [(NAMES["cpu"], {})]
    on_cuda = (NAMES["cuda"], _cuda(wishes, lane))
    if wishes.provider == "cuda" or lane is None:
        return [on_cuda]
    if versions is None:
        raise Misconfigured("TensorRT engines are kept by versions, and nobody told them.")
    its = _tensorrt(wishes, lane, digest, embedding, versions)
    return [(NAMES["tensorrt"], its), (NAMES["cuda"], _cuda(wishes, None))]


def engine_folder(wishes: Wishes, lane: Lane, digest: str, versions: Versions) -> Path:
    """Where TensorRT's engine lies: any change of what it was built for is another folder."""
    of = (digest, str(lane), wishes.precision, versions.ort, versions.tensorrt, versions.sm)
    key = sha256("|".join(of).encode()).hexdigest()[:16]
    return wishes.cache / "tensorrt" / f"{lane}-sm{versions.sm}-{key}"


def session_entries(wishes: Wishes) -> Options:
    """Configuration entries of a session."""
    # Waiting threads would spin on the cores that decode and encode, and gain nothing: 250 ms of
    # CPU time for a 512-pixel picture on two cores with spinning, 200 ms without.
    entries = {"session.intra_op.allow_spinning": "0"}
    if wishes.provider != "cpu":
        entries["session.disable_cpu_ep_fallback"] = "1"  # a slow worker is worse than none
        # Weights outside the arena, so that it can shrink to nothing.
        entries["session.use_device_allocator_for_initializers"] = "1"
    elif wishes.memory_limit is not None:
        entries["session.use_env_allocators"] = "1"  # one arena for all, with a limit
    return entries


def _cuda(wishes: Wishes, lane: Lane | None) -> Options:
    hot = lane is not None
    options = {
        "device_id": str(wishes.device),
        # Any shape may follow any other: searching anew for each takes 140 ms a call.
        "cudnn_conv_algo_search": wishes.search if hot else "HEURISTIC",
        "cudnn_conv_use_max_workspace": "1",
        # Asking for exactly what a shape needs fragments when shapes vary.
        "arena_extend_strategy": "kSameAsRequested" if hot else "kNextPowerOfTwo",
        "do_copy_in_default_stream": "1",
        "use_tf32": "0" if wishes.precision == "half" else "1",
        "prefer_nhwc": "1" if wishes.precision == "half" else "0",
        "enable_cuda_graph": "1" if hot and wishes.graphs else "0",
    }
    if wishes.memory_limit is not None:
        options["gpu_mem_limit"] = str(wishes.memory_limit)
    return options


def _tensorrt(
    wishes: Wishes, lane: Lane, digest: str, embedding: int, versions: Versions
) -> Options:
    timing = wishes.cache / "tensorrt" / f"timing-sm{versions.sm}-trt{versions.tensorrt}"
    shape = f"content:{lane.pictures}x{lane.height}x{lane.width}x3"
    profile = f"{shape},style:{lane.pictures}x{embedding},strength:{lane.pictures}"
    return {
        "device_id": str(wishes.device),
        # A graph that is 16 bits already says so itself; a full one stays full.
        "trt_fp16_enable": "1" if wishes.precision == "half" else "0",
        "trt_layer_norm_fp32_fallback": "1",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(engine_folder(wishes, lane, digest, versions)),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(timing),
        "trt_profile_min_shapes": profile,
        "trt_profile_opt_shapes": profile,
        "trt_profile_max_shapes": profile,
        "trt_max_workspace_size": str(min(WORKSPACE, wishes.memory_limit or WORKSPACE)),
        "trt_builder_optimization_level": "3",
        "trt_cuda_graph_enable": "1" if wishes.graphs else "0",
        "trt_context_memory_sharing_enable": "1",
        "trt_auxiliary_streams": "0",
    }
