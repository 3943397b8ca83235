"""
A GPU that is none: tensors that say they are `elsewhere`, computed by the CPU behind their backs.

It refuses what CUDA refuses, an operation on tensors of two devices, so that a forgotten `.to` or a
factory call without `device` fails where no GPU is. How fast or how exact a GPU is, it cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

NAME = "elsewhere"
#: Operations that may look at two devices at once, as on a real GPU.
TRANSFERS = {"aten::_to_copy", "aten::copy_"}
#: Operations that take places on the CPU for a tensor there.
INDEXING = {"aten::index", "aten::index_put_", "aten::_index_put_impl_"}


class Elsewhere(torch.Tensor):  # type: ignore[misc]  # untyped to mypy
    """A tensor with its numbers in `here`, on the CPU."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls: type[Elsewhere], here: torch.Tensor) -> Elsewhere:
        found: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            layout=here.layout,
            device=torch.device(NAME, 0),
        )
        found.here = here
        return found

    def __repr__(self) -> str:
        return f"Elsewhere({self.here!r})"

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Mode(TorchDispatchMode):  # type: ignore[misc]  # untyped to mypy
    """Sees factories too, which are given no tensor to dispatch on."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Module(_DummyBackendModule):  # type: ignore[misc]  # untyped to mypy
    """What PyTorch asks of `torch.<device>`."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


# While tests are collected: the first gradient of a process fixes which devices can have any.
_setup_privateuseone_for_python_backend(NAME, backend_module=_Module())


@contextmanager
def elsewhere() -> Iterator[torch.device]:
    """While it lasts, tensors can be made there, and none of them meets one of the CPU."""
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # or `torch.tensor` would go there past the mode
    try:
        with _Mode():
            yield torch.device(NAME, 0)
    finally:
        torch._C._set_only_lift_cpu_tensors(before)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation, by the CPU, if all that it looks at is on one device."""
    name, wanted = func._schema.name, kwargs.get("device")
    _check_together(name, args, kwargs)
    inner_args, inner_kwargs = tree_map_only(Elsewhere, lambda x: x.here, (args, kwargs))
    if wanted is not None:
        inner_kwargs |= {"device": torch.device("cpu")}
    out = func(*inner_args, **inner_kwargs)
    if wanted is not None:  # a copy or made anew: it shares its numbers with nothing
        away = torch.device(wanted).type == NAME
        return tree_map_only(torch.Tensor, Elsewhere, out) if away else out
    if name == "aten::copy_":
        return args[0]
    if not any(isinstance(x, Elsewhere) for x in tree_flatten((args, kwargs))[0]):
        return out
    out = tree_map_only(torch.Tensor, Elsewhere, out)
    return return_and_correct_aliasing(func, args, kwargs, out)


def _check_together(name: str, args: Any, kwargs: dict[str, Any]) -> None:
    """Raises RuntimeError as CUDA does; numbers without dimensions may be anywhere."""
    looked_at = args[:1] if name in INDEXING else (args, kwargs)
    tensors = [x for x in tree_flatten(looked_at)[0] if isinstance(x, torch.Tensor) and x.dim()]
    strangers = [list(x.shape) for x in tensors if not isinstance(x, Elsewhere)]
    if strangers and len(strangers) < len(tensors) and name not in TRANSFERS:
        raise RuntimeError(f"{name}: tensors of the CPU {strangers} among those elsewhere")
