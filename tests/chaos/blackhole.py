"""TCP connections that end without a word: their packets fall on the floor."""

import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26  #: Linux
RETURN_NOTHING = struct.pack("HBBI", 6, 0, 0, 0)  #: classic BPF: keep 0 bytes of every packet


def drop_all(connection: socket.socket) -> None:
    """Let the kernel drop whatever arrives for it, so that the other side hears no ACK."""
    program = ctypes.create_string_buffer(RETURN_NOTHING, len(RETURN_NOTHING))
    told = struct.pack("HP", 1, ctypes.addressof(program))
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, told)
