"""`impasto verify` on files that a service delivered: their record, and drawn again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.catalog import Catalog
from app.cli import cli
from app.cli.again import ROWS, difference
from app.db import keys, style_moves, tenants
from app.db.models import Job
from app.domain.job import Lane
from app.domain.parameters import Parameters, Quality
from app.domain.scopes import EVERYTHING, Scope
from app.domain.style import StyleMove
from app.erasing import erase
from app.settings import LimitSettings, settings
from app.storage import asset_key
from tests.conftest import new_database
from tests.integration.conftest import Api, serving, speaking
from tests.integration.shop import Shop, open_shop
from tests.integration.test_api_uploads import upload_of
from tests.rows import Ground
from tests.tickets import ListTickets
from tests.unit.pictures import jpeg, photo, png, saved
from tests.unit.test_marking import flipped, marked
from workers.pipeline import stylize

WHOLE = 2**14  #: pixels of an output drawn in one call here: what is larger is drawn in tiles


@dataclass(frozen=True)
class House:
    """A service with a worker, behind a real address."""

    shop: Shop
    url: str
    key: str  #: may do everything
    directory: Path

    def made(self, content: bytes, folder: Path, **wanted: Any) -> tuple[Path, dict[str, Any]]:
        """A finished picture as a file, and its job."""
        given = {"upload_id": upload_of(self.shop.client, content)}
        job = self.shop.post("/v1/jobs", {"style": "great-wave", "input": given, **wanted})
        if job["status"] == "queued":
            assert stylize(self.shop.studio, Lane.INTERACTIVE)["succeeded"] == 1
            job = self.shop.get(job["urls"]["get"])
        if wanted.get("review"):
            self.decide(job, "approve")
            job = self.shop.get(job["urls"]["get"])
        path = folder / f"picture.{job['output']['media_type'].partition('/')[2]}"
        path.write_bytes(self.stored(job["output"]["asset_id"]))
        return path, job

    def stored(self, digest: str) -> bytes:
        with self.shop.desk.sessions() as session:
            tenant_id = tenants.named(session, "one").id
        return self.shop.desk.storage.get(asset_key(tenant_id, digest))

    def decide(self, job: dict[str, Any], decision: str, **more: str) -> str:
        """Ada's word; her key's prefix."""
        with self.shop.desk.sessions.begin() as session:
            key = keys.create(session, tenant="one", name="Ada", scopes=[Scope.REVIEW])
        headers = {"Authorization": f"Bearer {key}"}
        body = {"decision": decision, **more}
        answer = self.shop.client.post(f"/v1/reviews/{job['id']}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return key[4:12]

    def verify(self, path: Path, *options: str) -> Result:
        """By whoever trusts the service's own root, and has its key."""
        settings.cache_clear()
        common = [f"--url={self.url}", f"--key={self.key}"]
        root = self.directory / "marking" / "root.pem"
        trust = [f"--trust={root}"]
        return CliRunner().invoke(cli, ["verify", str(path), *trust, *common, *options])

    def facts(self, path: Path, *options: str) -> dict[str, Any]:
        result = self.verify(path, "--json", *options)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@pytest.fixture(scope="module")
def house(
    postgres: str, template: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patch, new_database(postgres, template) as url:
        patch.setenv("IMPASTO_LIMITS__WHOLE_PIXELS", str(WHOLE))
        patch.setenv("IMPASTO_MARKING__DEVELOPMENT", str(directory / "marking"))
        with open_shop(url, redis_url, directory, "onnx") as shop:
            remembers = shop.desk.settings.model_copy(update={"cache": True})
            assert remembers.limits.whole_pixels == WHOLE
            desk = replace(shop.desk, settings=remembers)
            with desk.sessions.begin() as session:
                key = keys.create(session, tenant="one", name="Ben", scopes=EVERYTHING)
                tenant_id = tenants.named(session, "one").id
            ground = Ground(tenant_id, tenant_id)  # its style is nobody's: the catalog has some
            api = Api(desk, ListTickets(), redis_url, ground, key, key)
            with serving(api) as address, speaking(api) as client:
                yield House(Shop(desk, shop.studio, client), address, key, directory)
    settings.cache_clear()


# --- the record ---


def test_a_delivered_file_tells_who_asked_for_it_what_made_it_and_who_let_it_out(
    house: House, tmp_path: Path
) -> None:
    path, job = house.made(jpeg((90, 70)), tmp_path, review="all", metadata={"window": "shop"})
    result = house.verify(path)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    for words in (
        "somebody you trust",
        f"job {job['id']}",
        f"Ben (key {house.key[4:12]})",
        "in great-wave@1",
        "great-wave@1 is active",
        "approved by Ada (key ",
    ):
        assert words in said, said
    known = house.facts(path)["record"]
    assert (known["known"], known["sha256"]) == (True, job["output"]["asset_id"])
    [making] = known["made_by"]
    assert making["review"]["key"]["name"] == "Ada"
    assert making["provenance"]["credentials"]["label"] == house.facts(path)["label"]
    assert (
        making["provenance"]["credentials"]["certificate_serial"]
        == (house.facts(path)["signed_by"]["serial"])
    )
    assert making["machine"]["hardware"]


def test_a_file_that_was_not_to_leave_says_who_kept_it(house: House, tmp_path: Path) -> None:
    given = {"upload_id": upload_of(house.shop.client, jpeg((91, 70)))}
    job = house.shop.post("/v1/jobs", {"style": "great-wave", "input": given, "review": "all"})
    stylize(house.shop.studio, Lane.INTERACTIVE)
    house.decide(job, "reject", reason_code="off-brand", note="too blue")
    path = tmp_path / "leaked.jpg"
    path.write_bytes(house.stored(output_of(house, job["id"])))
    said = " ".join(house.verify(path).stdout.split())
    assert "NOBODY: rejected by Ada (key " in said
    assert "off-brand: too blue" in said


def output_of(house: House, job_id: str) -> str:
    """The digest of an output that nobody is told of."""
    with house.shop.desk.sessions() as session:
        return str(session.get_one(Job, UUID(job_id)).output_digest)


def test_a_licence_is_told_as_it_is_now(house: House, tmp_path: Path) -> None:
    path, _ = house.made(jpeg((92, 70)), tmp_path, style="woodcut")
    assert "woodcut@1 is active" in " ".join(house.verify(path).stdout.split())
    with house.shop.desk.sessions.begin() as session:
        move = (session, "woodcut", 1, StyleMove.WITHDRAW)
        style_moves.move(*move, by="operator:ada", reason="the contract ended")
    result = house.verify(path)
    assert result.exit_code == 0
    assert "woodcut@1 is withdrawn" in " ".join(result.stdout.split())


def test_a_file_of_several_jobs_names_the_first_ones(house: House, tmp_path: Path) -> None:
    content = jpeg((93, 70))
    for number in range(5):
        path, _ = house.made(content, tmp_path, metadata={"number": number})
    result = house.verify(path)
    assert "and 2 jobs more" in result.stdout
    assert "for job " in result.stdout
    assert "nobody had to" in result.stdout
    assert len(house.facts(path)["record"]["made_by"]) == 5


def test_a_photograph_of_ones_own_was_made_by_nothing_there(house: House, tmp_path: Path) -> None:
    upload_of(house.shop.client, jpeg((94, 70)))
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg((94, 70)))
    result = house.verify(path)
    assert (result.exit_code, "content picture of yours" in result.stdout) == (5, True)


def test_what_a_service_does_not_know_is_no_lie(house: House, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(marked())
    result = house.verify(path)
    assert result.exit_code == 3
    assert "record none: There is no asset" in " ".join(result.stdout.split())
    changed, _ = house.made(jpeg((95, 70)), tmp_path)
    changed.write_bytes(flipped(changed.read_bytes(), len(changed.read_bytes()) - 40))
    result = house.verify(changed)
    assert (result.exit_code, "none: There is no asset" in result.stdout) == (4, True)


def test_what_was_erased_is_told_as_that(house: House, tmp_path: Path) -> None:
    path, job = house.made(jpeg((96, 70)), tmp_path)
    house.shop.post("/v1/erasures", {"asset": job["output"]["asset_id"]})
    assert erase(house.shop.desk.sessions, house.shop.desk.storage)
    result = house.verify(path)
    assert (result.exit_code, "(erased)" in result.stdout) == (0, True)


@pytest.mark.parametrize("option", ["--url=http://127.0.0.1:9", "--key=imp_nobody_s"])
def test_a_service_that_says_nothing_is_no_reason_to_say_nothing(
    house: House, tmp_path: Path, option: str
) -> None:
    path, _ = house.made(jpeg((97, 70)), tmp_path)
    result = house.verify(path, option)
    assert (result.exit_code, "none: " in result.stdout) == (0, True)
    assert house.facts(path, option)["record"]["known"] is False


# --- drawn again ---


def drawn_again(house: House, path: Path, *options: str) -> dict[str, Any]:
    gap: dict[str, Any] = house.facts(path, "--render", *options)["again"]
    return gap


MIX = "great-wave@1:0.6,starry-night@1:0.4"


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((90, 72), {}),
        ((90, 73), {"style": MIX, "strength": 0.7}),
        ((90, 74), {"style": MIX, "variation": 3, "output": {"format": "png"}}),
        ((220, 170), {"output": {"quality": 80}}),
        ((230, 170), {"style": MIX, "keep_colour": 0.4}),
        ((300, 200), {"output": {"format": "webp", "size": 240}}),
    ],
    ids=["one style", "a mix", "a mix as PNG", "in tiles", "a mix in tiles", "in tiles as WebP"],
)
def test_what_was_delivered_is_drawn_again(
    house: House, tmp_path: Path, size: tuple[int, int], wanted: dict[str, Any]
) -> None:
    content = jpeg(size)
    path, job = house.made(content, tmp_path, **wanted)
    drawn_in_tiles = size[0] * size[1] > WHOLE
    assert (job["output"]["width"] * job["output"]["height"] > WHOLE) is drawn_in_tiles
    assert drawn_again(house, path) == {"max": 0, "mean": 0.0, "same": True}


def test_what_was_there_already_is_drawn_again_as_it_was(house: House, tmp_path: Path) -> None:
    content = jpeg((90, 75))
    _, first = house.made(content, tmp_path)
    path, again = house.made(content, tmp_path, metadata={"asked": "again"})
    assert again["rendered_by"] == first["id"]
    assert drawn_again(house, path)["same"] is True


def test_a_mask_comes_from_the_service_or_a_file(house: House, tmp_path: Path) -> None:
    content, mask = saved(photo((90, 76)), "JPEG"), png((45, 38))
    upload = {"upload_id": upload_of(house.shop.client, mask), "feather": 2}
    path, _ = house.made(content, tmp_path, mask=upload)
    assert drawn_again(house, path)["same"] is True
    photograph, its_mask = tmp_path / "photo.jpg", tmp_path / "mask.png"
    photograph.write_bytes(content)
    its_mask.write_bytes(mask)
    nobody = ["--key=", f"--content={photograph}"]
    assert drawn_again(house, path, *nobody, f"--mask={its_mask}")["same"] is True
    result = house.verify(path, "--render", *nobody)
    assert (result.exit_code, "give it with --mask" in str(result.exception)) == (1, True)
    result = house.verify(path, "--render", *nobody, f"--mask={photograph}")
    assert (result.exit_code, "is not the picture" in str(result.exception)) == (1, True)


def test_a_mask_over_a_picture_in_tiles_is_no_other(house: House, tmp_path: Path) -> None:
    upload = {"upload_id": upload_of(house.shop.client, png((60, 60))), "feather": 1}
    path, _ = house.made(saved(photo((210, 170)), "JPEG"), tmp_path, mask=upload)
    assert drawn_again(house, path)["same"] is True


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": Parameters(quality=Quality.PRINT)}, "optimizer worker only"),
        ({"style": "harbour@2"}, "There is no style 'harbour@2'"),
        ({"style": "great-wave@1:0.6,harbour@2:0.4"}, "There is no style 'harbour@2'"),
    ],
    ids=["a print", "a learned style", "a mix with one"],
)
def test_what_is_not_drawn_again_here_says_why(
    house: House, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    content = jpeg((90, 77))
    upload_of(house.shop.client, content)
    stylizer = Catalog(settings().catalog).stylizer(settings().engine.stylizer).digest
    path = tmp_path / "picture.jpg"
    path.write_bytes(
        marked(content=sha256(content).hexdigest(), **{"stylizer": stylizer, **changes})
    )
    result = house.verify(path, "--render")
    assert (result.exit_code, words in str(result.exception)) == (1, True), result.exception


def test_pictures_are_compared_to_their_last_row() -> None:
    """Strips of rows, the last of which is not whole."""
    height = 2 * ROWS + 3
    one, other = (np.full((height, 40, 3), 9, np.uint8) for _ in range(2))
    other[-1, :, 0] = 49
    files = []
    for pixels in (one, other):
        out = BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        files.append(out.getvalue())
    gap = difference(files[0], files[1], LimitSettings())
    assert gap.most == 40
    assert gap.mean == pytest.approx(40 / (3 * height))
