"""One contract for a directory and a bucket, and what each does when the world breaks."""

import os
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from signal import SIGXFSZ
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import boto3
import httpx2
import pytest
from moto.server import ThreadedMotoServer

from app.errors import Misconfigured, NotFound, StorageUnavailable
from app.settings import LocalStorageSettings, S3StorageSettings
from app.storage import Blob, LocalStorage, Storage, asset_key, open_storage
from tests.loopback import Received, Script, drip, reply, serving

TENANT = UUID(int=7)
PICTURE = b"\xff\xd8" + bytes(range(256)) * 40


@pytest.fixture(scope="module")
def store_url() -> Iterator[str]:
    """A server that speaks the S3 protocol."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys of nobody's, and none of the developer's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def bucket(url: str, **changes: Any) -> Storage:
    given = {"kind": "s3", "bucket": "pictures", "endpoint_url": url, "read_timeout": 0.3}
    return open_storage(S3StorageSettings.model_validate(given | changes))


@pytest.fixture
def client(store_url: str) -> Any:
    client = boto3.client("s3", endpoint_url=store_url, region_name="us-east-1")
    client.create_bucket(Bucket="pictures")
    return client


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return open_storage(LocalStorageSettings(root=tmp_path / "assets"))
    request.getfixturevalue("client")
    url = request.getfixturevalue("store_url")
    return bucket(url, read_timeout=15, prefix=f"/{uuid4()}/", multipart_threshold=6 * 2**20)


def blob(content: bytes, media_type: str = "image/jpeg") -> Blob:
    return Blob(asset_key(TENANT, sha256(content).hexdigest()), content, media_type)


class TestContract:
    """What is true of every store."""

    def test_what_is_put_is_got(self, storage: Storage) -> None:
        picture = blob(PICTURE)
        storage.put(picture)
        assert storage.get(picture.key) == PICTURE

    def test_a_whole_group_is_put_at_once(self, storage: Storage) -> None:
        group = [blob(PICTURE + bytes([n])) for n in range(40)]
        storage.put(*group)
        assert [storage.get(each.key) for each in group] == [each.content for each in group]

    def test_putting_the_same_again_is_a_success(self, storage: Storage) -> None:
        picture = blob(PICTURE)
        storage.put(picture)
        storage.put(picture, blob(PICTURE + b"."))
        assert storage.get(picture.key) == PICTURE

    def test_many_threads_may_put_the_same(self, storage: Storage) -> None:
        picture = blob(PICTURE)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(storage.put, [picture] * 16))
        assert storage.get(picture.key) == PICTURE

    def test_a_large_picture_is_put_whole(self, storage: Storage) -> None:
        picture = blob(os.urandom(13 * 2**20))
        storage.put(picture)
        assert storage.get(picture.key) == picture.content

    def test_what_was_never_put_is_not_found(self, storage: Storage) -> None:
        storage.put(blob(PICTURE))
        for key in (blob(b"other").key, "assets", f"{blob(PICTURE).key}/more"):
            with pytest.raises(NotFound):
                storage.get(key)

    @pytest.mark.parametrize("key", ["../secret", "/etc/passwd", "a//b", "a/../b", "", "a\0b", "A"])
    def test_a_key_that_is_not_ours_is_not_found(self, storage: Storage, key: str) -> None:
        with pytest.raises(NotFound):
            storage.get(key)
        with pytest.raises(NotFound):
            storage.put(Blob(key, PICTURE, "image/jpeg"))
        with pytest.raises(NotFound):
            storage.url(key, media_type="image/jpeg", expires=60)
        with pytest.raises(NotFound):
            storage.delete(key)

    def test_what_is_deleted_is_gone_and_may_come_again(self, storage: Storage) -> None:
        group = [blob(PICTURE + bytes([n])) for n in range(5)]
        storage.put(*group)
        storage.delete(*(each.key for each in group[:3]), blob(b"never there").key)
        for each in group[:3]:
            with pytest.raises(NotFound):
                storage.get(each.key)
        assert storage.get(group[3].key) == group[3].content
        storage.delete(group[0].key)
        storage.put(group[0])
        assert storage.get(group[0].key) == group[0].content

    def test_deleting_nothing_is_a_success(self, storage: Storage) -> None:
        storage.delete()

    def test_more_are_deleted_than_one_request_takes(self, storage: Storage) -> None:
        last = blob(PICTURE)
        storage.put(last)
        names = (asset_key(TENANT, f"{number:064x}") for number in range(1_000))
        storage.delete(*names, last.key)
        with pytest.raises(NotFound):
            storage.get(last.key)

    def test_a_store_that_is_there_checks_out(self, storage: Storage) -> None:
        storage.check()

    def test_putting_nothing_is_a_success(self, storage: Storage) -> None:
        storage.put()


def test_keys_keep_tenants_apart() -> None:
    assert asset_key(TENANT, "ab" * 32) == f"assets/{TENANT}/ab/{'ab' * 32}"


#: The kernel kills it when its file grows beyond one byte: in the middle of its put.
KILLED_PUT = """
import resource, signal, sys
from pathlib import Path
from signal import SIGXFSZ
from app.storage import Blob, LocalStorage
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
LocalStorage(Path(sys.argv[1])).put(Blob("assets/picture", b"." * 100, "image/jpeg"))
"""


class TestDirectory:
    """What is true of a directory alone."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> LocalStorage:
        return LocalStorage(tmp_path / "deep" / "assets")

    def test_the_api_serves_its_files_by_path(self, storage: LocalStorage) -> None:
        picture = blob(PICTURE)
        storage.put(picture)
        assert storage.url(picture.key, media_type="image/jpeg", expires=60) is None
        assert storage.path(picture.key).read_bytes() == PICTURE
        with pytest.raises(NotFound):
            storage.path(asset_key(TENANT, "00" * 32))

    def test_uploads_come_to_the_api(self, storage: LocalStorage) -> None:
        given = {"sha256": None, "bytes": 5, "media_type": "image/png", "expires": 60}
        assert storage.upload_url(blob(PICTURE).key, **given) is None  # type: ignore[arg-type]

    def test_nothing_but_whole_pictures_is_left_behind(self, storage: LocalStorage) -> None:
        group = [blob(bytes([n])) for n in range(5)]
        storage.put(*group)
        storage.check()
        files = {path for path in storage.root.rglob("*") if path.is_file()}
        assert files == {storage.path(each.key) for each in group}

    def test_what_a_killed_put_left_is_forgotten_a_day_later(self, storage: LocalStorage) -> None:
        done = subprocess.run([sys.executable, "-c", KILLED_PUT, str(storage.root)])
        assert done.returncode == -SIGXFSZ
        [left] = [path for path in storage.root.rglob("*") if path.is_file()]
        assert left.read_bytes() == b"."
        whole = blob(PICTURE)
        storage.put(whole)
        open_storage(LocalStorageSettings(root=storage.root))
        assert left.exists(), "somebody may still be writing it"
        yesterday = time.time() - 24 * 3600 - 1
        for path in (left, storage.path(whole.key)):
            os.utime(path, (yesterday, yesterday))
        open_storage(LocalStorageSettings(root=storage.root))
        assert not left.exists()
        assert storage.get(whole.key) == PICTURE

    def test_a_picture_that_a_power_cut_emptied_heals_when_put_again(
        self, storage: LocalStorage
    ) -> None:
        picture = blob(PICTURE)
        storage.put(picture)
        storage.path(picture.key).write_bytes(b"")
        storage.put(picture)
        assert storage.get(picture.key) == PICTURE

    def test_a_root_that_is_no_directory_is_told_apart_at_start(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(Misconfigured, match="IMPASTO_STORAGE__ROOT"):
            LocalStorage(tmp_path / "file" / "assets").check()

    def test_a_full_or_broken_disk_is_worth_another_try(self, storage: LocalStorage) -> None:
        picture = blob(PICTURE)
        place = storage.root / picture.key
        place.mkdir(parents=True)
        with pytest.raises(StorageUnavailable):
            storage.put(picture)
        assert [path.name for path in place.parent.iterdir()] == [place.name]


class TestBucket:
    """What is true of a bucket alone."""

    def test_objects_carry_their_type_and_may_be_cached_for_ever(
        self, client: Any, store_url: str
    ) -> None:
        picture = blob(PICTURE, "image/webp")
        bucket(store_url, prefix="p").put(picture)
        head = client.head_object(Bucket="pictures", Key=f"p/{picture.key}")
        assert head["ContentType"] == "image/webp"
        assert "immutable" in head["CacheControl"]

    def test_a_link_gives_the_bytes_under_the_type_asked_for(
        self, client: Any, store_url: str
    ) -> None:
        storage, picture = bucket(store_url), blob(PICTURE)
        storage.put(picture)
        url = storage.url(picture.key, media_type="image/png", expires=90)
        assert url is not None
        answer = httpx2.get(url)
        assert (answer.content, answer.headers["content-type"]) == (PICTURE, "image/png")
        assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["90"]

    def test_links_name_the_address_that_clients_reach(self, store_url: str) -> None:
        storage = bucket(store_url, public_endpoint_url="https://store.example:9000")
        url = storage.url(blob(PICTURE).key, media_type="image/png", expires=90)
        assert str(url).startswith("https://store.example:9000/pictures/assets/")

    def test_an_upload_link_takes_the_bytes_it_was_made_for(
        self, client: Any, store_url: str
    ) -> None:
        storage, key = bucket(store_url), asset_key(TENANT, uuid4().hex)
        upload = storage.upload_url(
            key,
            sha256=sha256(PICTURE).hexdigest(),
            bytes=len(PICTURE),
            media_type="image/jpeg",
            expires=60,
        )
        assert upload is not None
        httpx2.put(upload.url, content=PICTURE, headers=upload.headers).raise_for_status()
        assert storage.get(key) == PICTURE
        assert (
            upload.headers["x-amz-checksum-sha256"] == b64encode(sha256(PICTURE).digest()).decode()
        )

    @pytest.mark.parametrize("digest", [None, sha256(PICTURE).hexdigest()])
    def test_an_upload_link_signs_length_type_and_digest(
        self, store_url: str, digest: str | None
    ) -> None:
        upload = bucket(store_url).upload_url(
            asset_key(TENANT, uuid4().hex),
            sha256=digest,
            bytes=len(PICTURE),
            media_type="image/jpeg",
            expires=60,
        )
        assert upload is not None
        [signed] = parse_qs(urlsplit(upload.url).query)["X-Amz-SignedHeaders"]
        assert {"host", *map(str.lower, upload.headers)} == set(signed.split(";"))

    def test_a_bucket_that_is_not_there_is_told_apart_at_start(self, store_url: str) -> None:
        with pytest.raises(Misconfigured, match=r"no such bucket.*IMPASTO_STORAGE__BUCKET"):
            bucket(store_url, bucket="nowhere").check()

    def test_missing_credentials_are_told_apart_at_start(
        self, store_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(Misconfigured, match="no credentials"):
            bucket(store_url).check()

    def test_boto3_is_not_loaded_for_a_directory(self, tmp_path: Path) -> None:
        code = (
            "import sys; from app.settings import LocalStorageSettings as S;"
            "from app.storage import open_storage; open_storage(S());"
            "sys.exit('boto3' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def refusal(status: int, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return reply(status, body, Content_Type="application/xml")


def always(*pieces: bytes) -> Script:
    return lambda _: pieces


def in_turn(*answers: bytes) -> Script:
    turns = iter(answers)
    return lambda _: [next(turns)]


class TestFaults:
    """A store on a bad day; boto3's own patience is three requests."""

    @pytest.mark.parametrize(
        "answer",
        [
            refusal(503, "SlowDown"),
            refusal(500, "InternalError"),
            refusal(429, "TooManyRequests"),
            refusal(400, "RequestTimeout"),
            reply(502),
        ],
        ids=["503", "500", "429", "time-out", "502"],
    )
    def test_an_overloaded_store_is_asked_three_times_then_left_for_later(
        self, answer: bytes
    ) -> None:
        with serving(always(answer)) as store, pytest.raises(StorageUnavailable) as caught:
            bucket(store.url).get(blob(PICTURE).key)
        assert len(store.received) == 3
        assert caught.value.retryable

    def test_a_short_overload_is_not_noticed(self) -> None:
        slow = refusal(503, "SlowDown")
        with serving(in_turn(slow, slow, reply(200, PICTURE))) as store:
            assert bucket(store.url).get(blob(PICTURE).key) == PICTURE
        with serving(in_turn(slow, reply(200))) as store:
            bucket(store.url).put(blob(PICTURE))
            assert store.received[-1].body == PICTURE

    def test_a_lost_reply_to_a_put_is_healed_by_the_condition(self) -> None:
        with serving(
            in_turn(refusal(500, "InternalError"), refusal(412, "PreconditionFailed"))
        ) as store:
            bucket(store.url).put(blob(PICTURE))
            assert [received.headers["if-none-match"] for received in store.received] == ["*", "*"]

    def test_a_small_picture_costs_one_round_trip(self) -> None:
        with serving(always(reply(200))) as store:
            bucket(store.url).put(blob(PICTURE))
        assert len(store.received) == 1
        assert "expect" not in store.received[0].headers

    def test_a_race_between_two_puts_is_run_again(self) -> None:
        race = refusal(409, "ConditionalRequestConflict")
        with serving(in_turn(race, race, reply(200))) as store:
            bucket(store.url).put(blob(PICTURE))
        with serving(always(race)) as store, pytest.raises(StorageUnavailable):
            bucket(store.url).put(blob(PICTURE))

    def test_a_silent_store_is_given_up_in_time(self) -> None:
        with serving(lambda _: drip(b"", store.over)) as store, pytest.raises(StorageUnavailable):
            bucket(store.url).get(blob(PICTURE).key)

    def test_a_body_that_breaks_off_is_no_picture(self) -> None:
        def script(_: Received) -> Iterable[bytes]:
            yield b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nonly this"

        with serving(script, keep=False) as store, pytest.raises(StorageUnavailable):
            bucket(store.url).get(blob(PICTURE).key)

    def test_a_body_that_stalls_is_given_up_in_time(self) -> None:
        def script(_: Received) -> Iterable[bytes]:
            yield b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nonly this"
            store.over.wait(10)

        with serving(script) as store, pytest.raises(StorageUnavailable):
            bucket(store.url).get(blob(PICTURE).key)

    def test_a_store_that_is_away_is_worth_another_try(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        for attempt in (bucket(url).check, lambda: bucket(url).put(blob(PICTURE))):
            with pytest.raises(StorageUnavailable):
                attempt()

    def test_one_failure_fails_the_group(self) -> None:
        def script(received: Received) -> Iterable[bytes]:
            yield refusal(400, "EntityTooLarge") if received.body == b"\3" else reply(200)

        with serving(script) as store, pytest.raises(StorageUnavailable):
            bucket(store.url).put(*(blob(bytes([n])) for n in range(6)))

    @pytest.mark.parametrize(
        ("code", "error"),
        [("AccessDenied", Misconfigured), ("InternalError", StorageUnavailable)],
    )
    def test_one_that_was_not_deleted_fails_the_deletion(
        self, code: str, error: type[Exception]
    ) -> None:
        said = f"<DeleteResult><Error><Key>x</Key><Code>{code}</Code></Error></DeleteResult>"
        answer = reply(200, said.encode(), Content_Type="application/xml")
        with serving(always(answer)) as store, pytest.raises(error, match=code):
            bucket(store.url).delete(blob(PICTURE).key)

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (403, "AccessDenied"),
            (403, "InvalidAccessKeyId"),
            (403, "SignatureDoesNotMatch"),
            (404, "NoSuchBucket"),
            (400, "AuthorizationHeaderMalformed"),
        ],
    )
    def test_what_only_an_operator_can_mend_says_so(self, status: int, code: str) -> None:
        with (
            serving(always(refusal(status, code))) as store,
            pytest.raises(Misconfigured, match=f"{code}.*credentials"),
        ):
            bucket(store.url).get(blob(PICTURE).key)
