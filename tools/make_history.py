"""Make data/history.jsonl: this project's own history as events (see data/README.md).

    uv run python tools/make_history.py

The author of every commit is replaced by "the edalab developers".
"""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from edalab import read_git

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "data" / "history.jsonl"
UNTIL = "d3c497dd698dd8a79febbd5b3c8cf976684779ec"


def text() -> str:
    """The content of the file, with a line for each event."""
    with TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", "--bare", "--shared", ROOT, folder], check=True)
        subprocess.run(["git", "update-ref", "--no-deref", "HEAD", UNTIL], cwd=folder, check=True)
        facts = read_git(folder).read()
    lines = []
    for fact in facts:
        times = {
            name: f"{getattr(fact, name):%Y-%m-%dT%H:%M:%SZ}" for name in ("happened", "recorded")
        }
        row = {
            "stream": fact.stream,
            "type": fact.type,
            **times,
            **fact.data,
            "author": "the edalab developers",
        }
        lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(lines)


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8", newline="\n")
    print(f"{PLACE.name}: {len(text().splitlines())} events")
