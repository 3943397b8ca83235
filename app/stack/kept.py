"""What the data directory remembers between starts: secrets and ports."""

import os
import secrets
import socket
from pathlib import Path


def secret(path: Path) -> str:
    """256 random bits, made on the first call and readable by their owner only."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text()


def port(path: Path) -> int:
    """The port of last time if it is still free, else a free one, remembered in `path`."""
    if path.exists() and is_free(last := int(path.read_text())):
        return last
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        chosen: int = listener.getsockname()[1]
    path.write_text(str(chosen))
    return chosen


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as listener:
        # As servers do: connections of a former server that linger are no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
    return True
