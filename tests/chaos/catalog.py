"""The smallest catalog: the one style that `tests.rows` writes, as files."""

import json
from pathlib import Path

STYLIZER = "tiny-1"


def write(root: Path) -> None:
    """Write it where a process may be told to look for it."""
    stylizer = root / "stylizers" / STYLIZER
    stylizer.mkdir(parents=True)
    card = {"name": "tiny", "version": "1", "digest": "a" * 64, "embedding_size": 1}
    (stylizer / "model.json").write_text(json.dumps(card))
    (root / "styles").mkdir()
    style = {
        "slug": "plain",
        "version": 1,
        "title": "Plain",
        "licence": {"spdx": "CC0-1.0", "licensor": "nobody", "evidence": "it is empty"},
        "embeddings": {STYLIZER: {"dtype": "float32", "shape": [1], "base64": "AAAAAA=="}},
    }
    (root / "styles" / "plain.json").write_text(json.dumps(style))
