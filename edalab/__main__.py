"""`python -m edalab doctor`."""

import io
import sys

from .doctor import doctor

if __name__ == "__main__":
    if sys.argv[1:] != ["doctor"]:
        sys.exit("there is one command: python -m edalab doctor")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a file or an old console may have no ✓
    sys.exit(1 if doctor() else 0)
