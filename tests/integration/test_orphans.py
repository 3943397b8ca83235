"""Files that an attempt left which died between storing and committing go; nothing else does."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import select, update

from app.db import Sessions, intake, orphans
from app.db.models import Asset, StorePass
from app.domain.ids import new_id
from app.errors import NotFound
from app.orphans import Tidiness, collect
from app.settings import LocalStorageSettings, S3StorageSettings
from app.storage import Blob, LocalStorage, Storage, Stored, asset_key, open_storage
from tests.integration.test_erasure_races import somebody_waits_in, until
from tests.rows import Ground, new_asset, new_ground
from tests.tickets import ListTickets
from workers.sweep import sweep

HOUR = 3600.0
AT_ONCE = Tidiness(every=HOUR, older=-HOUR)  #: what is stored now is old enough, in any store


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A server that speaks the S3 protocol."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["local", "s3"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Storage:
    if request.param == "local":
        return open_storage(LocalStorageSettings(root=tmp_path / "assets"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    url = request.getfixturevalue("bucket")
    boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket="pictures")
    given: dict[str, Any] = {"kind": "s3", "bucket": "pictures", "endpoint_url": url}
    return open_storage(S3StorageSettings.model_validate(given | {"prefix": str(uuid4())}))


@pytest.fixture
def local(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "assets")


@pytest.fixture
def ground(sessions: Sessions) -> Ground:
    with sessions.begin() as session:
        return new_ground(session)


def put(storage: Storage, tenant_id: UUID, text: str) -> str:
    """Store it; its key."""
    key = asset_key(tenant_id, sha256(text.encode()).hexdigest())
    storage.put(Blob(key, text.encode(), "image/jpeg"))
    return key


def known(sessions: Sessions, storage: Storage, ground: Ground, text: str) -> str:
    """The same, and its row."""
    with sessions.begin() as session:
        intake.add_assets(session, [new_asset(ground, text)])
    return put(storage, ground.tenant_id, text)


def there(storage: Storage, key: str) -> bool:
    try:
        storage.get(key)
    except NotFound:
        return False
    return True


def passed(sessions: Sessions) -> StorePass:
    with sessions() as session:
        return session.scalars(select(StorePass)).one()


def due(sessions: Sessions) -> None:
    """The last pass was long ago."""
    with sessions.begin() as session:
        session.execute(update(StorePass).values(ended_at="2020-01-01T00:00Z"))


def test_what_no_row_knows_goes_and_what_one_knows_stays(
    sessions: Sessions, storage: Storage, ground: Ground
) -> None:
    kept = [known(sessions, storage, ground, f"known {number}") for number in range(5)]
    lost = [put(storage, ground.tenant_id, f"lost {number}") for number in range(3)]
    assert collect(sessions, storage, AT_ONCE) == 3
    assert [there(storage, key) for key in kept] == [True] * 5
    assert [there(storage, key) for key in lost] == [False] * 3
    its = passed(sessions)
    assert (its.seen, its.orphans, its.ended_at is not None) == (8, 3, True)


def test_what_is_young_may_be_somebodys_work(
    sessions: Sessions, storage: Storage, ground: Ground
) -> None:
    key = put(storage, ground.tenant_id, "on its way to a row")
    assert collect(sessions, storage, Tidiness(every=HOUR, older=HOUR)) == 0
    assert there(storage, key)


def test_a_promised_upload_is_no_orphan(
    sessions: Sessions, storage: Storage, ground: Ground
) -> None:
    key = put(storage, ground.tenant_id, "announced")
    about = {"digest": key.rpartition("/")[2], "media_type": "image/jpeg"}
    with sessions.begin() as session:
        intake.add_upload(session, ground.tenant_id, **about, seconds=60)
    assert collect(sessions, storage, AT_ONCE) == 0
    assert there(storage, key)


def test_what_is_not_ours_is_left_alone(
    sessions: Sessions, storage: Storage, ground: Ground
) -> None:
    """Another system may share the store, and other things may lie beside its pictures."""
    others = put(storage, new_id(), "another system's")
    strange = "assets/readme"
    storage.put(Blob(strange, b"x", "text/plain"))
    assert collect(sessions, storage, AT_ONCE) == 0
    assert there(storage, others)
    assert there(storage, strange)


def test_what_was_erased_and_is_there_all_the_same_goes(
    sessions: Sessions, storage: Storage, ground: Ground
) -> None:
    key = known(sessions, storage, ground, "erased")
    with sessions.begin() as session:
        session.execute(update(Asset).values(erased_at="2020-01-01T00:00Z"))
    assert collect(sessions, storage, AT_ONCE) == 1
    assert not there(storage, key)


def test_a_pass_goes_on_where_it_was_left(
    sessions: Sessions, storage: Storage, ground: Ground
) -> None:
    keys = [put(storage, ground.tenant_id, f"lost {number}") for number in range(10)]
    gone = []
    while passed(sessions).ended_at is None:
        gone.append(collect(sessions, storage, AT_ONCE, seconds=1e-9, page=4))
    assert gone == [4, 4, 2]
    assert not any(there(storage, key) for key in keys)


def test_passes_rest_in_between(sessions: Sessions, local: LocalStorage, ground: Ground) -> None:
    assert collect(sessions, local, AT_ONCE) == 0
    put(local, ground.tenant_id, "lost")
    assert collect(sessions, local, AT_ONCE) == 0
    due(sessions)
    assert collect(sessions, local, AT_ONCE) == 1


def test_who_does_not_want_it_is_not_looked_through(
    sessions: Sessions, local: LocalStorage, ground: Ground
) -> None:
    put(local, ground.tenant_id, "lost")
    assert collect(sessions, local, Tidiness(every=0, older=-HOUR)) == 0


def test_somebody_who_brings_the_same_bytes_meanwhile_stores_them_again(
    sessions: Sessions, local: LocalStorage, ground: Ground
) -> None:
    """He stored them before they were deleted, and commits their row after that."""
    key = put(local, ground.tenant_id, "content")
    asset = new_asset(ground, "content")
    collect(sessions, local, AT_ONCE)
    assert not there(local, key)
    with sessions.begin() as session:
        assert intake.add_assets(session, [asset]) == {asset.digest}
        row = session.get_one(Asset, (ground.tenant_id, asset.digest))
        assert (row.erased_at, row.media_type, row.bytes) == (None, "image/jpeg", len("content"))


def test_somebody_who_is_about_to_write_its_row_keeps_his_file(
    sessions: Sessions, local: LocalStorage, ground: Ground
) -> None:
    key = put(local, ground.tenant_id, "content")
    with sessions.begin() as session:
        intake.add_assets(session, [new_asset(ground, "content")])
        assert collect(sessions, local, AT_ONCE) == 0
    due(sessions)
    assert collect(sessions, local, AT_ONCE) == 0
    assert there(local, key)


def test_a_row_that_comes_while_a_file_is_written_off_is_told(
    sessions: Sessions, local: LocalStorage, ground: Ground
) -> None:
    """Neither sees the other's row yet: who comes second waits, looks again, stores again."""
    asset = new_asset(ground, "content")
    file = orphans.File(ground.tenant_id, asset.digest, asset.bytes)

    def bring() -> set[str]:
        with sessions.begin() as session:
            return intake.add_assets(session, [asset])

    with ThreadPoolExecutor(1) as threads, sessions() as session:
        orphans.write_off(session, [file])
        brought = threads.submit(bring)
        until(lambda: somebody_waits_in(sessions))
        session.commit()
        assert brought.result(20) == {asset.digest}
    with sessions.begin() as session:
        assert orphans.lock(session, [file]) == []


def test_two_that_look_at_the_same_page_do_it_once(
    sessions: Sessions, local: LocalStorage, ground: Ground
) -> None:
    put(local, ground.tenant_id, "lost")
    with sessions.begin() as session:
        assert orphans.begin(session, every=HOUR) == ""
    assert collect(sessions, local, AT_ONCE) == 1
    with sessions.begin() as session:
        assert not orphans.advance(session, 1, 1, after="", to=None)


def test_an_attempt_that_dies_after_storing_leaves_what_the_next_pass_finds(
    sessions: Sessions, local: LocalStorage, ground: Ground
) -> None:
    key = asset_key(ground.tenant_id, sha256(b"drawn").hexdigest())
    dying = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from app.storage import Blob, LocalStorage\n"
        "LocalStorage(Path(sys.argv[1])).put(Blob(sys.argv[2], b'drawn', 'image/jpeg'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    died = subprocess.run([sys.executable, "-c", dying, str(local.root), key], check=False)
    assert died.returncode == -9
    assert there(local, key)
    os.utime(local.path(key), (time.time() - 2 * HOUR,) * 2)
    tidiness, tickets = Tidiness(every=HOUR, older=HOUR), ListTickets()
    assert sweep(sessions, tickets, tickets.waiting, local, tidiness)["orphans"] == 1
    assert not there(local, key)


def test_a_store_is_listed_in_the_order_of_its_keys(storage: Storage) -> None:
    keys = sorted(put(storage, new_id(), f"picture {number}") for number in range(12))
    keys = sorted([*keys, "assets/a-b", "assets/a/b"])
    storage.put(*(Blob(key, b"x", "image/jpeg") for key in ("assets/a-b", "assets/a/b")))
    storage.put(Blob("manifests/a/b", b"x", "text/csv"))
    found: list[Stored] = []
    while page := storage.listed("assets", after=found[-1].key if found else "", most=5):
        assert len(page) <= 5
        found += page
    assert [one.key for one in found] == keys
    assert {one.bytes for one in found} == {1, 9, 10}
    assert all(abs(one.at - time.time()) < HOUR for one in found)
    assert storage.listed("nothing", after="", most=5) == []
