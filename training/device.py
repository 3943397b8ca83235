"""Where tensors live: the CPU, or a GPU where there is one. Chosen once, then handed on."""

import argparse
import os

import torch

from training.allowance import SHARE, allowance
from training.data import DataError
from training.ending import in_words

AUTO = "auto"
HELP = "cpu, cuda, cuda:1, ...; auto is a GPU where there is one (no GPU was ever tried)"


def open_device(name: str = AUTO) -> torch.device:
    """The device of that name; raises DataError where PyTorch cannot use it here."""
    if name == AUTO:
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DataError(f"{name} is no device; {HELP}") from error
    if device.type not in {"cpu", "cuda"}:
        raise DataError(f"{name} is no device that this runs on; {HELP}")
    number = device.index or 0
    if device.type == "cuda" and number >= torch.cuda.device_count():
        raise DataError(
            f"{name} is not to be had: this PyTorch {torch.__version__} sees "
            f"{torch.cuda.device_count()} GPUs; name another, or take cpu"
        )
    return torch.device("cuda", number) if device.type == "cuda" else device


def room(device: torch.device) -> int | None:
    """Bytes that a program may take there; None where nobody tells."""
    if device.type == "cpu":
        return allowance()
    free, _ = torch.cuda.mem_get_info(device)
    return int(SHARE * free)


def repeat_exactly(device: torch.device) -> None:
    """
    The same bytes from the same input, as far as PyTorch can: on a CPU always.

    On a GPU the gradients of a reflecting border have no such kernel; there it only warns.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
        torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.device", description=__doc__)
    parser.add_argument("name", nargs="?", default=AUTO, help=HELP)
    with in_words("nothing was done"):
        print(open_device(parser.parse_args().name))


if __name__ == "__main__":
    main()
