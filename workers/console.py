"""Flower, as we let it run: it shows and touches nothing, and asks who looks."""

import os
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

from app.errors import Misconfigured
from app.settings import Settings

TASKS: Final = 5_000  #: that it remembers, in memory
AUTH: Final = "FLOWER_BASIC_AUTH"
#: Settings of Flower's own that would open what we close.
_OPEN: Final = ("FLOWER_UNAUTHENTICATED_API", "FLOWER_READ_ONLY", "FLOWER_CONF", "FLOWER_AUTH")


def arguments(host: str, port: int) -> list[str]:
    """
    The command line of a Flower.

    Without a configuration file of its own, for it reads one from where it starts.
    """
    options = [f"--address={host}", f"--port={port}", "--read_only", f"--max_tasks={TASKS}"]
    return [sys.executable, "-m", "celery", "flower", *options, "--conf=/dev/null"]


def environment(settings: Settings, host: str, given: Mapping[str, str]) -> dict[str, str]:
    """
    What it is told where nobody sees it: the broker, and who may look.

    Raises `Misconfigured` for an address that others reach, and no password.
    """
    auth = settings.flower_auth.get_secret_value()
    name, _, password = auth.partition(":")
    if auth and not (name and password):
        raise Misconfigured(f"{AUTH} is a name and a password: ops:something-long.")
    if not auth and not _loopback(host):
        raise Misconfigured(
            f"Flower shows what the fleet does: set {AUTH}=ops:something-long before others than"
            f" this machine can reach it, or listen on 127.0.0.1 instead of {host}."
        )
    ours = {name: value for name, value in given.items() if name not in (*_OPEN, AUTH)}
    ours["BROKER_URL"] = settings.broker_url.get_secret_value()
    return ours | {AUTH: auth} if auth else ours


def become(settings: Settings, host: str, port: int) -> None:
    """This process becomes Flower. Raises `Misconfigured`."""
    its = environment(settings, host, os.environ)
    os.execve(sys.executable, arguments(host, port), its)  # noqa: S606 - our own


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
