"""Our nginx configuration in a real nginx, before a bucket that checks signatures as S3 does."""

import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from app.signing import sign
from app.stack import kept

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx"
MODULE = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
SECRET = "a long random text"
PICTURE = b"\x89PNG" + bytes(range(256)) * 64
KEY = "/assets/0190-tenant/ab/abcdef"

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = pytest.mark.skipif(
    NGINX is None or not MODULE.exists(),
    reason="needs nginx and its njs module (Debian: nginx libnginx-mod-http-js)",
)


class Bucket(ThreadingHTTPServer):
    """Serves `objects`; refuses, as S3 does, what is not signed with its credentials."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BucketAnswer)
        self.objects: dict[str, bytes] = {}
        self.broken = False
        self.asked: Counter[str] = Counter()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class BucketAnswer(BaseHTTPRequestHandler):
    server: Bucket

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        body = self.server.objects.get(self.path)
        if self.server.broken or not self._is_signed():
            self._answer(500 if self.server.broken else 403, b"<Error>inner details</Error>")
        elif body is None:
            self._answer(404, b"<Error>NoSuchKey</Error>")
        else:
            self._answer(200, body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "image/png" if status == 200 else "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _is_signed(self) -> bool:
        names = ("Host", "X-Amz-Date", "X-Amz-Content-Sha256")
        request = AWSRequest("GET", f"http://{self.server.host}{self.path}")
        for name in names:
            request.headers[name] = self.headers[name]
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        auth = S3SigV4Auth(Credentials("the-id", "the-key"), "s3", "us-east-1")
        text = auth.string_to_sign(request, auth.canonical_request(request))
        expected: str = auth.signature(text, request)
        return self.headers["Authorization"].endswith(f"Signature={expected}")

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked` instead."""


@dataclass
class Cdn:
    url: str
    bucket: Bucket
    log: Path
    http: httpx2.Client = field(default_factory=httpx2.Client)

    def get(self, path: str, query: str, **headers: str) -> httpx2.Response:
        return self.http.get(f"{self.url}{path}?{query}", headers=headers)


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with Bucket() as bucket:
        threading.Thread(target=bucket.serve_forever, daemon=True).start()
        yield bucket
        bucket.shutdown()


@pytest.fixture
def cdn(bucket: Bucket, tmp_path: Path) -> Iterator[Cdn]:
    """A fresh nginx with an empty cache; only places and ports of its configuration differ."""
    bucket.objects, bucket.broken = {f"/impasto{KEY}": PICTURE}, False
    bucket.asked.clear()
    port = kept.port(tmp_path / "port")
    configuration = (CONFIGURATION / "nginx.conf").read_text()
    for written, here in {
        "modules/ngx_http_js_module.so": str(MODULE),
        "store:9000": bucket.host,
        "listen 8080": f"listen 127.0.0.1:{port}",
        "/var/run/nginx.pid": str(tmp_path / "pid"),
        "/var/cache/nginx": str(tmp_path / "cache"),
        "/dev/stdout": str(tmp_path / "access.log"),
        "/dev/stderr": str(tmp_path / "error.log"),
        "worker_processes auto": "worker_processes 1; user root"
        if root()
        else "worker_processes 1",
    }.items():
        assert written in configuration
        configuration = configuration.replace(written, here)
    (tmp_path / "cache").mkdir()
    (tmp_path / "nginx.conf").write_text(configuration)
    shutil.copy(CONFIGURATION / "cdn.js", tmp_path)
    environment = {
        "IMPASTO_LINK_KEY": SECRET,
        "AWS_ACCESS_KEY_ID": "the-id",
        "AWS_SECRET_ACCESS_KEY": "the-key",
    }
    nginx = subprocess.Popen(
        [str(NGINX), "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-g", "daemon off;"],
        env=environment,
    )
    cdn = Cdn(f"http://127.0.0.1:{port}", bucket, tmp_path / "access.log")
    try:
        wait_for(cdn, nginx)
        yield cdn
    finally:
        cdn.http.close()
        nginx.terminate()
        nginx.wait(10)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.02)


def root() -> bool:
    return Path("/proc/self").stat().st_uid == 0


def wait_for(cdn: Cdn, nginx: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while True:
        assert nginx.poll() is None, "nginx ended"
        try:
            assert cdn.http.get(f"{cdn.url}/healthz").status_code == 204
            return
        except httpx2.TransportError:
            assert time.monotonic() < deadline, "nginx does not answer"
            threading.Event().wait(0.02)


def opening(path: str = KEY, *, seconds: int = 60, secret: str = SECRET) -> str:
    return sign(path, secret=secret, expires=int(time.time()) + seconds)


def test_a_signed_link_opens_the_picture_for_good(cdn: Cdn) -> None:
    answer = cdn.get(KEY, opening())
    assert answer.status_code == 200, answer.text
    assert answer.content == PICTURE
    assert answer.headers.get_list("content-type") == ["image/png"]
    assert answer.headers.get_list("cache-control") == ["private, max-age=31536000, immutable"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_bucket_is_asked_once_whoever_comes(cdn: Cdn) -> None:
    first = cdn.get(KEY, opening())
    second = cdn.get(KEY, opening(seconds=3600))
    assert [first.headers["x-cache"], second.headers["x-cache"]] == ["MISS", "HIT"]
    assert cdn.bucket.asked == {f"/impasto{KEY}": 1}


def test_a_part_is_served_of_what_is_kept(cdn: Cdn) -> None:
    for _ in range(2):
        part = cdn.get(KEY, opening(), Range="bytes=100-199")
        assert (part.status_code, part.content) == (206, PICTURE[100:200])
    assert cdn.bucket.asked.total() == 1


def test_what_is_kept_outlives_the_store(cdn: Cdn) -> None:
    cdn.get(KEY, opening())
    cdn.bucket.broken = True
    assert cdn.get(KEY, opening()).content == PICTURE


FORGERIES = {
    "nothing": "",
    "no signature": "expires=9999999999",
    "an empty signature": "expires=9999999999&signature=",
    "a word for a time": "expires=soon&signature=x",
    "another key": opening(secret="another secret"),
    "another picture": opening("/assets/0190-tenant/ab/another"),
    "another tenant": opening(KEY.replace("tenant", "stranger")),
    "a later end": opening().replace("expires=", "expires=1"),
    "a second end": opening() + "&expires=9999999999",
    "a longer signature": opening() + "x",
    "a shorter signature": opening()[:-1],
}


@pytest.mark.parametrize("query", FORGERIES.values(), ids=FORGERIES.keys())
def test_no_other_link_opens_it(cdn: Cdn, query: str) -> None:
    answer = cdn.get(KEY, query)
    assert answer.status_code == 403
    assert not cdn.bucket.asked


def test_an_expired_link_is_gone_even_for_kept_pictures(cdn: Cdn) -> None:
    cdn.get(KEY, opening())
    assert cdn.get(KEY, opening(seconds=-1)).status_code == 410


def test_refusals_are_not_to_be_kept_as_pictures(cdn: Cdn) -> None:
    assert "cache-control" not in cdn.get(KEY, "").headers


def test_a_missing_picture_is_looked_for_again(cdn: Cdn) -> None:
    late = "/assets/0190-tenant/cd/cdef"
    assert cdn.get(late, opening(late)).status_code == 404
    cdn.bucket.objects[f"/impasto{late}"] = PICTURE
    until(lambda: cdn.get(late, opening(late)).status_code == 200)


def test_a_broken_store_keeps_its_details_to_itself(cdn: Cdn) -> None:
    cdn.bucket.broken = True
    answer = cdn.get(KEY, opening())
    assert answer.status_code == 502
    assert "inner details" not in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/uploads/0190-tenant/x", "/assets/../uploads/x", "/assets/"]
)
def test_only_assets_are_served(cdn: Cdn, path: str) -> None:
    assert cdn.get(path, opening(path)).status_code == 404
    assert not cdn.bucket.asked


def test_reading_is_all_there_is(cdn: Cdn) -> None:
    link = f"{cdn.url}{KEY}?{opening()}"
    assert cdn.http.head(link).headers["content-length"] == str(len(PICTURE))
    for method in ("POST", "PUT", "DELETE"):
        assert cdn.http.request(method, link).status_code == 405


def test_signatures_stay_out_of_the_log(cdn: Cdn) -> None:
    query = opening()
    cdn.get(KEY, query)
    until(lambda: KEY in cdn.log.read_text())
    assert "signature" not in cdn.log.read_text()
