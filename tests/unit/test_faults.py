"""What engines say, and what it means."""

import pytest

from app.errors import DeviceMemory, ImpastoError, OutputInvalid
from workers.engines.faults import Fault, blamed, fault
from workers.engines.null import AllocationFailed

MEMORY = [
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Pad node. Name:"
    "'pad_129' Status Message: bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal("
    "size_t, bool, onnxruntime::Stream*) Available memory of 19996160 is smaller than requested "
    "bytes of 34080768",
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer "
    "of size 2147483648",
    "CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; file=cuda_allocator.cc ; line=47",
    "CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0",
    "std::bad_alloc",
]
DEVICE = [
    "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=h",
    "CUDA error cudaErrorIllegalAddress:an illegal memory access was encountered",
    "CUDA failure 719: unspecified launch failure ; GPU=0",
    "CUDA failure 214: uncorrectable ECC error encountered",
]
OTHER = [
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: content",
    "CUDA failure 209: no kernel image is available for execution on the device",
    "Node (out_of_memory_card) failed",
]


@pytest.mark.parametrize("said", MEMORY)
def test_memory(said: str) -> None:
    assert fault(RuntimeError(said)) is Fault.MEMORY
    assert type(blamed(RuntimeError(said))) is DeviceMemory


@pytest.mark.parametrize("said", DEVICE)
def test_a_device_that_is_lost(said: str) -> None:
    assert fault(RuntimeError(said)) is Fault.DEVICE
    assert blamed(RuntimeError(said)).retryable


@pytest.mark.parametrize("said", OTHER)
def test_anything_else(said: str) -> None:
    assert fault(RuntimeError(said)) is Fault.OTHER
    assert type(blamed(RuntimeError(said))) is OutputInvalid


def test_pythons_own_and_the_null_engines() -> None:
    assert fault(MemoryError()) is fault(AllocationFailed(1, 2)) is Fault.MEMORY


def test_what_we_raised_ourselves_keeps_its_name() -> None:
    ours = ImpastoError("x")
    assert blamed(ours) is ours
