"""`impasto verify`: a file, a verdict, an exit code."""

import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from app.catalog import Catalog
from app.cli import cli
from app.cli.again import difference
from app.settings import LimitSettings, settings
from tests.integration.conftest import Api, serving, speaking
from tests.integration.test_api_uploads import upload_of
from tests.loopback import serving as listening
from tests.notaries import directory, new_notary
from tests.stamps import Authority, needs_openssl
from tests.unit.pictures import jpeg
from tests.unit.test_marking import drawn, flipped, mark, marked
from tests.unit.test_signers import Office, opened
from workers.marking.certificates import ROOT


@pytest.fixture(autouse=True)
def _our_certificate(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    new_notary()
    monkeypatch.setenv("IMPASTO_MARKING__DEVELOPMENT", str(directory()))
    settings.cache_clear()
    yield
    settings.cache_clear()


def verify(path: Path, *options: str) -> Result:
    settings.cache_clear()
    return CliRunner().invoke(cli, ["verify", str(path), *options])


def kept(folder: Path, content: bytes) -> Path:
    path = folder / "picture.jpg"
    path.write_bytes(content)
    return path


def facts(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_who_trusts_our_root_hears_that_all_is_well(tmp_path: Path) -> None:
    path = kept(tmp_path, marked())
    for options in (["--trust-dev"], [f"--trust={directory() / ROOT}"]):
        result = verify(path, *options)
        assert result.exit_code == 0, result.output
        for words in ("somebody you trust", "harbour@2", "CC-BY-4.0", "The Gallery", "Impasto"):
            assert words in result.stdout


def test_without_a_root_nobody_vouches_for_who_signed(tmp_path: Path) -> None:
    result = verify(kept(tmp_path, marked()), "--json")
    assert (result.exit_code, facts(result)["state"]) == (3, "untrusted")


@needs_openssl
def test_a_time_stamp_is_told_with_what_it_is_worth(tmp_path: Path) -> None:
    authority, office = Authority(tmp_path / "authority"), Office(tmp_path)
    with listening(authority) as tsa, opened(office.settings(timestamp_url=tsa.url)) as notary:
        path = kept(tmp_path, notary.mark(drawn(), mark()).content)
    roots = tmp_path / "roots.pem"
    for trusted, words in ((authority.root, "authority you trust"), ("", "nobody vouches for")):
        roots.write_text(office.root + trusted)
        result = verify(path, f"--trust={roots}", "--json")
        assert facts(result)["signed_by"]["at_trusted"] is bool(trusted)
        assert facts(result)["signed_by"]["at"]
        assert words in verify(path, f"--trust={roots}").stdout
    assert "signed at" not in verify(kept(tmp_path, marked()), "--trust-dev").stdout


def test_one_changed_byte_is_told(tmp_path: Path) -> None:
    content = marked()
    for place in (content.index(b"The Gallery"), len(content) - 40, content.index(b"harbour@2")):
        result = verify(kept(tmp_path, flipped(content, place)), "--trust-dev", "--json")
        assert (result.exit_code, facts(result)["state"]) == (4, "tampered")
        assert facts(result)["failures"]
    assert "CHANGED" in verify(tmp_path / "picture.jpg").stdout


def test_a_plain_photograph_says_nothing(tmp_path: Path) -> None:
    result = verify(kept(tmp_path, jpeg()))
    assert (result.exit_code, "no Content Credentials" in result.stdout) == (5, True)


def test_a_terminal_is_not_obeyed_by_a_picture(tmp_path: Path) -> None:
    style = mark().styles[0].__class__("x@1", title="\x1b]0;owned\x07[bold red]it")
    result = verify(kept(tmp_path, marked(styles=(style,))))
    assert "\x1b" not in result.stdout
    assert "[bold red]it" in result.stdout


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"GIF89a" + bytes(40), [], "this is a GIF"),
        (drawn(), ["--render"], "--content FILE"),
    ],
)
def test_a_mistake_is_a_sentence(
    tmp_path: Path, content: bytes, options: list[str], words: str
) -> None:
    result = verify(kept(tmp_path, content), *options)
    assert result.exit_code == 1
    assert words in str(result.exception)


def test_a_missing_root_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_MARKING__DEVELOPMENT", str(tmp_path / "none"))
    result = verify(kept(tmp_path, marked()), "--trust-dev")
    assert result.exit_code == 1
    assert "IMPASTO_MARKING__DEVELOPMENT" in str(result.exception)


def stylized(folder: Path, content: Path, *options: str) -> Path:
    out = folder / "painted.jpg"
    command = [sys.executable, "-m", "workers", "stylize", str(content), f"--out={out}"]
    subprocess.run([*command, "--style=great-wave", *options], check=True, capture_output=True)
    return out


def in_use() -> str:
    """The digest of the stylizer that pictures are drawn with here."""
    return Catalog(settings().catalog).stylizer(settings().engine.stylizer).digest


def test_a_picture_is_drawn_again_from_what_it_says(api: Api, tmp_path: Path) -> None:
    """Its photograph comes from the service that has it, by its digest."""
    content = tmp_path / "photo.jpg"
    content.write_bytes(jpeg((90, 70)))
    out = stylized(tmp_path, content, "--strength=0.6", "--keep-colour=0.25", "--size=80")
    with speaking(api) as client:
        upload_of(client, content.read_bytes())
    with serving(api) as url:
        options = ["--trust-dev", "--render", "--json", f"--url={url}", f"--key={api.key}"]
        result = verify(out, *options)
    assert result.exit_code == 0, result.output
    assert facts(result)["again"] == {"max": 0, "mean": 0.0, "same": True}


def test_another_picture_under_the_same_name_is_found_out(tmp_path: Path) -> None:
    """Signed by us, and what it says draws something else."""
    content = tmp_path / "photo.jpg"
    content.write_bytes(jpeg((64, 48)))
    forged = marked(
        content=sha256(content.read_bytes()).hexdigest(),
        stylizer=in_use(),
        style="great-wave@1",
        parameters=mark().parameters.model_copy(update={"strength": 1.0}),
    )
    result = verify(kept(tmp_path, forged), "--render", f"--content={content}", "--json")
    assert result.exit_code == 6
    assert facts(result)["again"]["same"] is False


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stylizer": None}, "No stylizer drew it"),
        ({"stylizer": "0" * 64}, "is not in the catalog"),
        ({"content": "0" * 64}, "not the picture that this was made from"),
    ],
)
def test_what_cannot_be_drawn_again_is_a_sentence(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    content = tmp_path / "photo.jpg"
    content.write_bytes(jpeg())
    known = {"stylizer": in_use(), "content": sha256(jpeg()).hexdigest()}
    picture = kept(tmp_path, marked(**{**known, **changes}))
    result = verify(picture, "--render", f"--content={content}")
    assert result.exit_code == 1
    assert words in str(result.exception)


def test_an_avif_is_drawn_signed_read_and_drawn_again(tmp_path: Path) -> None:
    content, out = tmp_path / "photo.jpg", tmp_path / "painted.avif"
    content.write_bytes(jpeg((90, 70)))
    command = [sys.executable, "-m", "workers", "stylize", str(content), f"--out={out}"]
    subprocess.run([*command, "--style=great-wave"], check=True, capture_output=True)
    with Image.open(out) as painted:
        assert (painted.format, painted.size) == ("AVIF", (90, 70))
        assert b"compositeWithTrainedAlgorithmicMedia" in painted.info["xmp"]
    result = verify(out, "--trust-dev", "--render", f"--content={content}", "--json")
    assert result.exit_code == 0, result.output
    assert facts(result)["again"] == {"max": 0, "mean": 0.0, "same": True}
    assert facts(result)["render"]["parameters"]["output"]["format"] == "avif"


def test_an_avif_of_nobody_is_no_reason_to_break(tmp_path: Path) -> None:
    """What looks like one and is none says nothing."""
    result = verify(kept(tmp_path, b"\0\0\0\x20ftypavif" + bytes(60)))
    assert result.exit_code in (4, 5), result.output


def test_a_difference_is_measured_over_all_channels() -> None:
    files = []
    for shade in (100, 103):
        out = BytesIO()
        Image.fromarray(np.full((40, 40, 3), (shade, 50, 60), np.uint8)).save(out, "PNG")
        files.append(out.getvalue())
    gap = difference(files[0], files[1], LimitSettings())
    assert (gap.most, gap.mean) == (3, 1.0)
