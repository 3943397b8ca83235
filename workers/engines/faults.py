"""What an engine's exception means; runtimes say it in words only."""

import re
from enum import Enum
from typing import Final

from app.errors import DeviceMemory, ImpastoError, OutputInvalid


class Fault(Enum):
    """What there is to do differs; whose fault it is does not show in the type."""

    MEMORY = "memory"  #: fewer pixels may fit
    DEVICE = "device"  #: no later call in this process will succeed
    OTHER = "other"  #: maybe one of the pictures


# Of ONNX Runtime 1.31 on a CPU seen ourselves: `BFCArena::AllocateRawInternal ... Available memory
# of 19996160 is smaller than requested bytes of 34080768`. The CUDA ones are from its sources and
# issues (16307, 14437); nobody has met them here.
MEMORY: Final = re.compile(
    r"BFCArena|failed to allocate memory|out of memory|available memory of \d+ is smaller"
    r"|cudaErrorMemoryAllocation|CU(DNN|BLAS)_STATUS_ALLOC_FAILED|std::bad_alloc"
    r"|CUDA failure 2\b",
    re.IGNORECASE,
)
# A CUDA context is lost after these: every later call answers with the same error.
DEVICE: Final = re.compile(
    r"CUDA failure (46|214|700|702|710|714|716|717|718|719|999)\b"
    r"|illegal memory access|cudaErrorIllegalAddress|device-side assert"
    r"|unspecified launch failure|cudaErrorLaunch(Failure|Timeout)|uncorrectable ECC"
    r"|cudaErrorDevicesUnavailable|CUDA_ERROR_(ILLEGAL_ADDRESS|LAUNCH_FAILED|ECC_UNCORRECTABLE)"
    r"|CUDNN_STATUS_EXECUTION_FAILED",
    re.IGNORECASE,
)


def fault(error: BaseException) -> Fault:
    """What the engine's error is; a lost device is told from the memory that it may name, too."""
    text = str(error)
    if DEVICE.search(text):
        return Fault.DEVICE
    if isinstance(error, MemoryError) or MEMORY.search(text):
        return Fault.MEMORY
    return Fault.OTHER


def blamed(error: Exception) -> ImpastoError:
    """What the picture's job hears: another worker may have the memory, none a better network."""
    if isinstance(error, ImpastoError):
        return error
    kind = OutputInvalid if fault(error) is Fault.OTHER else DeviceMemory
    refused = kind(f"the engine failed: {error}")
    refused.__cause__ = error
    return refused
