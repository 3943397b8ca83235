"""What the CUDA driver itself says this process may use, without any library of ours."""

import ctypes
from uuid import UUID

from app.errors import EngineUnavailable


def uuid(number: int) -> str:
    """
    The UUID of the GPU that this process knows by that number, as `nvidia-smi -L` writes it.

    Never run on a GPU so far. Raises `EngineUnavailable` where there is no driver or no such GPU.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise EngineUnavailable(
            f"no CUDA driver: {error}; install it, or use IMPASTO_ENGINE__PROVIDER=cpu"
        ) from error
    device, raw = ctypes.c_int(), (ctypes.c_ubyte * 16)()
    _check(driver.cuInit(0), "cuInit")
    _check(driver.cuDeviceGet(ctypes.byref(device), number), f"cuDeviceGet({number})")
    _check(driver.cuDeviceGetUuid_v2(ctypes.byref(raw), device), "cuDeviceGetUuid_v2")
    return f"GPU-{UUID(bytes=bytes(raw))}"


def same(one: str, other: str) -> bool:
    """Whether two UUIDs mean one device; the driver names parts (MIG) like whole ones."""
    return one.partition("-")[2].lower() == other.partition("-")[2].lower()


def _check(code: int, call: str) -> None:
    if code:
        raise EngineUnavailable(
            f"{call} failed with {code}: no such GPU is visible; look at CUDA_VISIBLE_DEVICES"
        )
