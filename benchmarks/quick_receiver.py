"""A receiver that costs next to nothing, in a process of its own: 204 to whatever comes."""

import asyncio
import sys

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Thanks(asyncio.Protocol):
    """One connection; a request is over with the last of the bytes its header promised."""

    def __init__(self) -> None:
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].lower()
            _, _, after = head.partition(b"content-length:")
            size = end + 4 + int(after.split(b"\r\n", 1)[0] or 0)
            if len(self._read) < size:
                return
            self._read = self._read[size:]
            self._transport.write(ANSWER)


async def serve() -> None:
    """Say the port, and listen until we are ended."""
    server = await asyncio.get_running_loop().create_server(Thanks, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
