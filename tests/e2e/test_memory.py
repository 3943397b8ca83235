"""Workers that run out of memory, under `impasto up`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from PIL import Image

from app import exits
from tests.e2e.system import IMPASTO, Up

LITTLE = {
    "IMPASTO_ENGINE__NULL_PIXELS": str(2 * 64 * 64),
    "IMPASTO_ENGINE__NULL_MS": "40",  # so that batches come together
    "IMPASTO_WORKER__BREAKS": "4",
}


def campaign(up: Up, folder: Path, amount: int, side: int) -> list[dict[str, Any]]:
    """So many pictures sent at once; what became of them when all had ended."""
    folder.mkdir()
    for number in range(amount):
        picture = Image.effect_noise((side, side), 40).convert("RGB")
        picture.save(folder / f"{number}.png")
    subprocess.run(
        [*IMPASTO, "submit", str(folder), "--style", "great-wave", "--out", f"{folder}-out"],
        env=os.environ | {"IMPASTO_URL": f"http://127.0.0.1:{up.port}", "IMPASTO_API_KEY": up.key},
        check=False,  # where pictures failed, it says so with its exit code, too
        timeout=120,
    )
    found = up.get(f"/v1/jobs?limit={amount}")["data"]
    assert len(found) == amount
    return list(found)


def test_batches_shrink_to_what_fits_and_a_worker_that_only_fails_goes(tmp_path: Path) -> None:
    with Up(tmp_path / "data", environment=LITTLE) as up:
        up.wait_ready()
        small = campaign(up, tmp_path / "small", 24, 64)
        assert {job["status"] for job in small} == {"succeeded"}
        [book] = (up.data / "engines").glob("caps-null-*.json")
        assert json.loads(book.read_text())["64x64"]["pictures"] == 2
        assert "worker-0 ended" not in up.output

        large = campaign(up, tmp_path / "large", 4, 128)
        assert {job["status"] for job in large} == {"failed"}
        assert {job["error"]["code"] for job in large} <= {"device-memory", "worker-unfit"}
        assert f"worker-0 ended with {exits.UNFIT} (job after job broke)" in up.output
        up.draw()
        assert up.stop() == 0
