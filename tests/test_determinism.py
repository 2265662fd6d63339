"""Equal inputs give equal digests: today and later, under every hash seed and every supported Python.

Where a run is meant to change, `python tests/representative.py > tests/digests.json` writes the digests anew.
EDALAB_PYTHONS names more interpreters (paths with the platform's path separator between them) that have pydantic."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from representative import digests

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "digests.json").read_text(encoding="utf-8"))
PYTHONS = [sys.executable, *filter(None, os.environ.get("EDALAB_PYTHONS", "").split(os.pathsep))]


def digests_of(python: str, hash_seed: str) -> dict[str, str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"}
    ran = subprocess.run(
        [python, str(HERE / "representative.py")],
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_the_digests_are_those_that_were_written_down():
    assert digests() == EXPECTED


@pytest.mark.parametrize("hash_seed", ["0", "1", "2", "3", "4294967295"])
def test_under_every_hash_seed(hash_seed):
    assert digests_of(sys.executable, hash_seed) == EXPECTED


@pytest.mark.parametrize("python", PYTHONS)
def test_under_every_python(python):
    assert digests_of(python, "random") == EXPECTED
