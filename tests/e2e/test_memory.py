"""Workers that run out of memory, under `impasto up`."""

import json
import os
import subprocess
from pathlib import Path

from PIL import Image

from app import exits
from tests.e2e.system import IMPASTO, Up, until

LITTLE = {
    "IMPASTO_ENGINE__NULL_PIXELS": str(2 * 64 * 64),
    "IMPASTO_ENGINE__NULL_MS": "40",  # so that batches come together
    "IMPASTO_WORKER__BREAKS": "4",
}


def submit(up: Up, folder: Path, amount: int, side: int, *options: str) -> None:
    """Send so many pictures at once."""
    folder.mkdir()
    for number in range(amount):
        picture = Image.effect_noise((side, side), 40).convert("RGB")
        picture.save(folder / f"{number}.png")
    subprocess.run(
        [*IMPASTO, "submit", str(folder), "--style", "great-wave", *options],
        env=os.environ | {"IMPASTO_URL": f"http://127.0.0.1:{up.port}", "IMPASTO_API_KEY": up.key},
        check=True,
        timeout=120,
    )


def test_batches_shrink_to_what_fits_and_a_worker_that_only_fails_goes(tmp_path: Path) -> None:
    with Up(tmp_path / "data", environment=LITTLE) as up:
        up.wait_ready()
        submit(up, tmp_path / "small", 24, 64, "--out", str(tmp_path / "small-out"))
        small = up.get("/v1/jobs?limit=24")["data"]
        assert [job["status"] for job in small] == ["succeeded"] * 24
        [book] = (up.data / "engines").glob("caps-null-*.json")
        assert json.loads(book.read_text())["64x64"]["pictures"] == 2
        assert "worker-0 ended" not in up.output

        submit(up, tmp_path / "large", 4, 128, "--no-wait")
        until(lambda: f"worker-0 ended with {exits.UNFIT} (job after job broke)" in up.output)
        large = up.get("/v1/jobs?limit=4")["data"]
        assert {job["status"] for job in large} <= {"queued", "running"}  # tried again elsewhere
        up.draw()  # what comes next draws what it can
        assert up.stop() == 0
