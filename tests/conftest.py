"""What every file of tests gets: its own messages, examples that are the same each time, and its tables shown at the end of the log."""

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from edalab.model import Message, registry

HERE = os.path.join(Path(__file__).parent, "")

# The same examples every time, and no clock: a machine that is busy fails nothing.
settings.register_profile(
    "edalab",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("edalab")


@pytest.fixture(autouse=True, scope="module")
def messages_of_this_file(request):
    """Files of tests have messages of the same names. The tests of a file see its own, those of the files that it
    imports and those that they declare themselves: none of another file that the same process ran or only read."""
    meant = {module.__name__ for module in _imported(request.module, {})}
    meant.add(f"lesson {getattr(request.module, 'NAME', '')}")  # its cells' definitions
    declared = registry._declared
    others = {
        cls
        for cls in declared()
        if cls.__module__ not in meant and cls.__module__.partition(".")[0] != "edalab"
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_declared", lambda: (c for c in declared() if c not in others))
        Message.__count__ += 1  # what was remembered of them is stale
        yield
    Message.__count__ += 1


def _imported(module: ModuleType, seen: dict) -> dict:
    """This module and all those of the tests that it imports, or imports something from."""
    if module not in seen:
        seen[module] = True
        for other in filter(None, map(_home, vars(module).values())):
            _imported(other, seen)
    return seen


def _home(thing) -> ModuleType | None:
    """The module that a thing is or is defined in, if that is one of the tests."""
    module = (
        thing
        if isinstance(thing, ModuleType)
        else sys.modules.get(str(getattr(thing, "__module__", "")))
    )
    return module if str(getattr(module, "__file__", "")).startswith(HERE) else None


def pytest_terminal_summary(terminalreporter):
    """Tables that tests record, to be read where only the log of a run is kept."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for table in [
                text for name, text in getattr(report, "user_properties", []) if name == "table"
            ]:
                terminalreporter.section(report.nodeid.split("::")[-1])
                terminalreporter.write_line(table)
