"""What the CUDA driver itself says this process may use, without any library of ours."""

import ctypes
from typing import Final
from uuid import UUID

from app.errors import EngineUnavailable

#: Of cuDeviceGetAttribute.
CAPABILITY: Final = {"major": 75, "minor": 76}


def uuid(number: int) -> str:
    """
    The UUID of the GPU that this process knows by that number, as `nvidia-smi -L` writes it.

    Never run on a GPU so far. Raises `EngineUnavailable` where there is no driver or no such GPU.
    """
    driver = _library("libcuda.so.1")
    device, raw = ctypes.c_int(), (ctypes.c_ubyte * 16)()
    _check(driver.cuInit(0), "cuInit")
    _check(driver.cuDeviceGet(ctypes.byref(device), number), f"cuDeviceGet({number})")
    _check(driver.cuDeviceGetUuid_v2(ctypes.byref(raw), device), "cuDeviceGetUuid_v2")
    return f"GPU-{UUID(bytes=bytes(raw))}"


def capability(number: int) -> str:
    """The GPU's compute capability, `90` for 9.0. Never run on a GPU so far."""
    driver, device = _library("libcuda.so.1"), ctypes.c_int()
    _check(driver.cuInit(0), "cuInit")
    _check(driver.cuDeviceGet(ctypes.byref(device), number), f"cuDeviceGet({number})")
    digits = []
    for attribute in CAPABILITY.values():
        value = ctypes.c_int()
        _check(
            driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device), "its capability"
        )
        digits.append(str(value.value))
    return "".join(digits)


def tensorrt() -> str:
    """The version of TensorRT's library, `101303` for 10.13.3. Never run on a GPU so far."""
    return str(_library("libnvinfer.so.10").getInferLibVersion())


def same(one: str, other: str) -> bool:
    """Whether two UUIDs mean one device; the driver names parts (MIG) like whole ones."""
    return one.partition("-")[2].lower() == other.partition("-")[2].lower()


def _library(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise EngineUnavailable(
            f"no CUDA driver or library: {error}; install it, or set IMPASTO_ENGINE__PROVIDER=cpu"
        ) from error


def _check(code: int, call: str) -> None:
    if code:
        raise EngineUnavailable(
            f"{call} failed with {code}: no such GPU is visible; look at CUDA_VISIBLE_DEVICES"
        )
