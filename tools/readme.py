"""Draw the picture of the README's example: python tools/readme.py"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "your-own-system.png"


def example() -> str:
    """The Python code of the README."""
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    return code


def run() -> tuple[dict, object]:
    """The names that the example defines, and the picture that its last line makes."""
    *lines, last = example().strip().split("\n")
    names: dict = {}
    exec("\n".join(lines), names)
    return names, eval(last, names)


if __name__ == "__main__":
    PICTURE.write_bytes(run()[1].png())
    print(PICTURE.relative_to(ROOT))
