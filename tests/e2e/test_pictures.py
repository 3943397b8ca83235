"""Odd pictures through a whole system: they come out right, or are refused with a code."""

import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from tests.e2e.system import Up, until
from tests.loopback import Loopback, Received, drip, reply, serving
from tests.unit import pictures

FETCH_SECONDS = 2


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The null engine gives back what was decoded, so every pixel can be expected."""
    environment = {
        "IMPASTO_ALLOW_PRIVATE_SOURCES": "true",
        "IMPASTO_LIMITS__FETCH_SECONDS": str(FETCH_SECONDS),
    }
    with Up(tmp_path_factory.mktemp("up"), environment=environment) as running:
        yield running.wait_ready()
        running.stop()


@pytest.fixture(scope="module")
def http(up: Up) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {up.key}", "Prefer": "wait=30"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{up.port}", headers=headers, timeout=60) as one:
        yield one


def draw(http: httpx2.Client, content: bytes, **form: str) -> Image.Image:
    """The finished picture, by the way anybody would take."""
    form = {"style": "great-wave", "format": "png"} | form
    answer = http.post("/v1/jobs", files={"content": ("any.jpg", content)}, data=form)
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert job["status"] == "succeeded", job["error"]
    output = http.get(job["output"]["url"]).content
    assert sha256(output).hexdigest() == job["output"]["asset_id"]
    return Image.open(BytesIO(output))


def near(picture: Image.Image, at: tuple[int, int], colour: tuple[int, ...], within: int) -> None:
    pixel = picture.getpixel(at)
    assert isinstance(pixel, tuple)
    assert len(pixel) == len(colour)
    pairs = zip(pixel, colour, strict=True)
    assert all(abs(one - other) <= within for one, other in pairs), (pixel, colour)


def test_every_control_goes_through_a_whole_system(
    up: Up, http: httpx2.Client, tmp_path: Path
) -> None:
    mask = pictures.png((40, 40))
    (tmp_path / "mask.png").write_bytes(mask)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.png").write_bytes(pictures.png())
    controls = {"keep-colour": "1", "variation": "7", "mask": tmp_path / "mask.png"}
    options = [f"--{name}={value}" for name, value in controls.items()]
    command = [sys.executable, "-c", "from app.cli import main; main()", "submit"]
    command += [str(tmp_path / "photos"), "--style=great-wave:3,starry-night:1", "--json"]
    command += [*options, "--deterministic", "--format=png", f"--out={tmp_path}"]
    command += [f"--url=http://127.0.0.1:{up.port}", f"--key={up.key}"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    campaign = json.loads(answer.stdout)
    assert campaign["style"] == "great-wave@1:0.75,starry-night@1:0.25"
    assert campaign["parameters"]["mask"]["digest"] == sha256(mask).hexdigest()
    with Image.open(tmp_path / "one.png") as drawn:
        pairs = zip(drawn.tobytes(), pictures.photo().tobytes(), strict=True)
        assert max(abs(one - other) for one, other in pairs) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_held_any_way_comes_out_upright(http: httpx2.Client, orientation: int) -> None:
    content = pictures.held(orientation)
    upright = draw(http, content)
    with Image.open(BytesIO(content)) as stored:
        expected = (48, 64) if orientation >= 5 else (64, 48)
        assert stored.size == (64, 48)
    assert upright.size == expected
    # Where the stored left side, the red one, is once the picture is upright.
    red = {1: (2, 24), 2: (61, 24), 3: (61, 24), 4: (2, 24)}
    turned = {5: (24, 2), 6: (24, 2), 7: (24, 61), 8: (24, 61)}
    near(upright, (red | turned)[orientation], pictures.RED, 6)


def test_cmyk_red_is_red(http: httpx2.Client) -> None:
    near(draw(http, pictures.cmyk()), (20, 20), (255, 0, 0), 30)


def test_sixteen_bits_keep_their_ramp(http: httpx2.Client) -> None:
    ramp = draw(http, pictures.ramp_16_bit())
    for column in (0, 64, 128, 200, 255):
        near(ramp, (column, 5), (column, column, column), 2)


def test_a_transparent_palette_keeps_its_transparency(http: httpx2.Client) -> None:
    picture = draw(http, pictures.palette_with_alpha())
    assert picture.mode == "RGBA"
    near(picture, (picture.width - 3, 3), (*pictures.BLUE, 255), 2)
    assert abs(picture.getchannel("A").getpixel((2, 2)) - 128) <= 2  # type: ignore[operator]


def test_transparency_lies_over_white_in_a_jpeg(http: httpx2.Client) -> None:
    picture = draw(http, pictures.with_alpha(), format="jpeg")
    assert picture.mode == "RGB"
    near(picture, (2, 2), (255, 255, 255), 6)


def test_a_wide_gamut_arrives_in_srgb(http: httpx2.Client) -> None:
    profile = pictures.wide_gamut_profile()
    content = pictures.saved(
        Image.new("RGB", (64, 64), (128, 128, 128)), "PNG", icc_profile=profile
    )
    grey = draw(http, content).getpixel((20, 20))
    assert isinstance(grey, tuple)
    assert max(grey) - min(grey) <= 3  # neutral stays neutral
    assert 128 < grey[0] < 160  # and a gamma of 1.8 is lighter in sRGB than 2.2 would be


def test_metadata_stays_behind(http: httpx2.Client) -> None:
    output = draw(http, pictures.located(), format="jpeg")
    assert not output.getexif()
    assert "exif" not in output.info


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (pictures.truncated(pictures.jpeg((256, 256))), "invalid-image"),
        (pictures.truncated(pictures.png((256, 256))), "invalid-image"),
        (pictures.truncated(pictures.webp((256, 256))), "invalid-image"),
    ],
    ids=["jpeg", "png", "webp"],
)
def test_a_cut_picture_fails_with_a_code(http: httpx2.Client, content: bytes, code: str) -> None:
    answer = http.post(
        "/v1/jobs", files={"content": ("cut", content)}, data={"style": "great-wave"}
    )
    if answer.status_code == 200:  # its header was whole: the job tells
        assert answer.json()["status"] == "failed"
        assert answer.json()["error"]["code"] == code
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.fixture
def host() -> Iterator[Loopback]:
    """A web host of many kinds, by path."""

    def answers(request: Received) -> Iterator[bytes]:
        path = request.line.split()[1]
        if path == "/fine":
            yield reply(200, pictures.jpeg())
        elif path == "/moved":
            yield reply(302, location="/fine")
        elif path == "/page":
            yield reply(200, b"<html>no picture</html>")
        elif path == "/endless":
            yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
            yield from drip(b"x", one.over)
        else:
            one.over.wait(20)

    with serving(answers) as one:
        yield one


def test_addresses_good_and_bad_in_one_campaign(
    up: Up, http: httpx2.Client, host: Loopback
) -> None:
    expected = {
        "fine": None,
        "moved": "source-forbidden",
        "page": "invalid-image",
        "endless": "source-unreachable",
        "silent": "source-unreachable",
    }
    items = [{"custom_id": name, "input": {"url": f"{host.url}/{name}"}} for name in expected]
    body = {"name": "addresses", "style": "scream", "items": items}
    campaign = http.post("/v1/campaigns", json=body).json()
    finished = wait_for(http, campaign["urls"]["get"])
    assert finished["counts"]["succeeded"] == 1
    seen = {
        item["custom_id"]: item["error"] and item["error"]["code"]
        for item in http.get(campaign["urls"]["items"]).json()["data"]
    }
    assert seen == expected


def wait_for(http: httpx2.Client, path: str) -> dict[str, Any]:
    """A campaign once it is finished."""
    found: dict[str, Any] = {}

    def finished() -> bool:
        found.update(http.get(path).json())
        return found["finished_at"] is not None

    until(finished, 60)
    return found


def test_nothing_is_left_of_a_refused_picture(up: Up, http: httpx2.Client) -> None:
    assets = Path(up.data) / "assets"
    before = sorted(path.name for path in assets.rglob("*") if path.is_file())
    answer = http.post(
        "/v1/jobs", files={"content": ("a.gif", pictures.animated("GIF"))}, data={"style": "udnie"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-image")
    assert sorted(path.name for path in assets.rglob("*") if path.is_file()) == before
