"""Opening ONNX Runtime sessions: verified files, exactly the provider that was asked for."""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path

import onnxruntime as ort

from app.errors import CatalogCorrupt, EngineUnavailable
from workers import cuda
from workers.engines.options import Lane, Providers, Versions, Wishes, needed, session_entries


def verified(model: Path, digest: str) -> bytes:
    """The bytes of a file. Raises `CatalogCorrupt` if it is not the file of its card."""
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


def check_build(wishes: Wishes) -> None:
    """Raises `EngineUnavailable` where this build of the runtime lacks a provider."""
    built = ort.get_available_providers()
    for name in needed(wishes):
        if name not in built:
            raise EngineUnavailable(
                f"this build of ONNX Runtime has no {name}, only {', '.join(built)}; "
                "install the worker-gpu extra, or set IMPASTO_ENGINE__PROVIDER=cpu."
            )


def versions(device: int) -> Versions:
    """What engines built here depend on; asks the driver and TensorRT's library."""
    return Versions(ort.__version__, cuda.tensorrt(), cuda.capability(device))


def opened(
    content: bytes, model: Path, wishes: Wishes, providers: Providers, lane: Lane | None = None
) -> ort.InferenceSession:
    """
    A session on the first of `providers`; for a `lane` its sizes are fixed in the graph.

    Raises `EngineUnavailable` when the runtime falls back to another one.
    """
    check_build(wishes)
    options = _session_options(wishes)
    if lane is not None:
        sizes = {"N": lane.pictures, "H": lane.height, "W": lane.width}
        for name, size in sizes.items():
            options.add_free_dimension_override_by_name(name, size)
    wanted = providers[0][0]
    try:
        session = ort.InferenceSession(
            content,  # bytes have no folder, so no initializer can point at another file
            options,
            providers=providers,
            enable_fallback=0,
        )
    except Exception as error:  # the runtime's exceptions share no base of their own
        raise EngineUnavailable(f"{model} does not load on {wanted}: {error}") from error
    granted = session.get_providers()[0]
    if granted != wanted:
        raise EngineUnavailable(
            f"asked for {wanted}, ONNX Runtime granted {granted}; look above for what it could not "
            "load (CUDA, cuDNN and TensorRT of the versions it was built for must be on "
            "LD_LIBRARY_PATH), or set IMPASTO_ENGINE__PROVIDER."
        )
    return session


def once(wishes: Wishes) -> ort.RunOptions:
    """For a graph that runs once a picture: the 600 MB it used are not kept for the next."""
    options = ort.RunOptions()
    if wishes.provider == "cpu":
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


@cache
def _limit_arena(limit: int) -> None:
    """One arena for all sessions of this process, which fails beyond so many bytes."""
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    as_requested = 1  # doubling would find the limit at half of it
    arena = ort.OrtArenaCfg({"max_mem": limit, "arena_extend_strategy": as_requested})
    ort.create_and_register_allocator(memory, arena)


def _session_options(wishes: Wishes) -> ort.SessionOptions:
    options = ort.SessionOptions()
    on_cpu = wishes.provider == "cpu"
    # Counted here: the runtime's own count ignores that we may be pinned to fewer cores.
    cores = wishes.threads or len(os.sched_getaffinity(0))
    options.intra_op_num_threads = cores if on_cpu else 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL  # the graph is one chain
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Without the arena every activation is mapped and zeroed anew: a third more CPU time.
    options.enable_cpu_mem_arena = True
    # Plans are kept for every shape ever seen; they gained nothing and cost memory.
    options.enable_mem_pattern = False
    # Our operators have one way each on a CPU, whose sums are cut the same for every run; on a GPU
    # this rules out reductions by atomic additions. Not run there yet.
    options.use_deterministic_compute = True
    if on_cpu and wishes.memory_limit is not None:
        _limit_arena(wishes.memory_limit)
    for name, value in session_entries(wishes).items():
        options.add_session_config_entry(name, value)
    return options
