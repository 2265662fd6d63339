"""For all tests, those of the notebooks among them: what they do is no learner's progress, they have a home of their own,
and where EDALAB_NOTHING_SKIPPED is 1, as in CI, a test that skips itself fails."""

import os
import shutil
import tempfile

import pytest

from tools.home import own_home

# Why a test may be skipped in CI as well: there is nothing that CI could install.
CANNOT_RUN = (
    "the permit applications",  # a table from elsewhere, which is not ours to hand on
    "this folder is no",  # git clone, or a shallow one: there is no history to read
    "no timer counts",  # on Windows
    "pyarrow is not installed",  # where it is, pandas does otherwise in every other test
)


def pytest_configure(config):
    os.environ["EDALAB_PROGRESS"] = ""
    if "PYTEST_XDIST_WORKER" not in os.environ:  # which has that of the process that started it
        home = tempfile.mkdtemp()
        config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
        os.environ |= own_home(home)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _failed_if_skipped((yield))


def _failed_if_skipped(report):
    if report.skipped and os.environ.get("EDALAB_NOTHING_SKIPPED") == "1":
        *_, reason = report.longrepr
        if not any(known in reason for known in CANNOT_RUN):
            report.outcome, report.longrepr = "failed", f"not to be skipped here: {reason}"
    return report
