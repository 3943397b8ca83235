"""A KMS as a program of its own: the key is in its memory, and in nobody else's."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

TOKEN: Final = "open sesame"


@dataclass(frozen=True)
class Kms:
    """A running one; whoever ends the process takes the key with it."""

    url: str
    process: "Popen[str]"

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def running(key: Path, *, raw: bool = False) -> Iterator[Kms]:
    """
    One that has read `key`, which may be gone from then on.

    `raw` answers with r and s as C2PA has them (64 bytes), as some KMS do; else in DER.
    """
    command = [sys.executable, "-m", "tests.kms", str(key), *(["raw"] if raw else [])]
    with Popen(command, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        kms = Kms(process.stdout.readline().strip(), process)
        try:
            yield kms
        finally:
            kms.end()


def main(key: Path, raw: bool) -> None:
    """Serve until ended; the first line said is the address."""
    read = load_pem_private_key(key.read_bytes(), None)
    assert isinstance(read, EllipticCurvePrivateKey)
    secret: EllipticCurvePrivateKey = read

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            allowed = self.headers["authorization"] == f"Bearer {TOKEN}"
            signature = secret.sign(content, ECDSA(SHA256())) if allowed else b""
            if raw and allowed:
                signature = b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(signature))
            self.send_response(200 if allowed else 401)
            self.send_header("content-length", str(len(signature)))
            self.end_headers()
            self.wfile.write(signature)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/sign", flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), "raw" in sys.argv[2:])
