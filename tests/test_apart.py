"""A learner's function runs in a process of its own: whatever becomes of that, the notebook goes on and there is a verdict."""

import os
import queue
import select
import signal
import sys
import threading
import time

import pytest
from jupyter_client.manager import start_new_kernel
from test_check import ONE, PaymentCharged, right

from edalab import stuck
from edalab.practice import check, learner
from edalab.practice.answer import Answer
from edalab.practice.apart import Ended, apart, can_be_apart

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process forks here")


@pytest.fixture(autouse=True)
def one_exercise(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["edalab.practice.check"], "exercise", lambda id: ONE)
    monkeypatch.setenv(learner.FILE, str(tmp_path / "progress.json"))


def cell(source: str, **names):
    """The last function that a cell of a notebook defines."""
    notebook = {"__name__": "__main__", "right": right, "PaymentCharged": PaymentCharged, **names}
    before = {*notebook}
    exec(compile(source, "/tmp/ipykernel_1/2.py", "exec"), notebook)
    return notebook[[name for name in notebook if name not in before][-1]]


IN_ITSELF = """
def charge(event, ctx):
    import itertools
    return sum(itertools.count())
"""
IN_ANOTHER = """
import itertools
def total(numbers):

    return sum(n for n in [sum(numbers)])
def charge(event, ctx):
    return total(itertools.count())
"""
IN_ÜBERTRAG = IN_ANOTHER.replace("total(", "übertrag(")
SWALLOWED = """
import itertools
def charge(event, ctx):
    while True:
        try:
            any(map(bool, itertools.repeat(0)))
        except BaseException:
            pass
"""


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (IN_ITSELF, "line 3 of charge"),
        (IN_ANOTHER, "line 3 of total"),
        (IN_ÜBERTRAG, "line 3 of übertrag"),
        (SWALLOWED, "line 4 of charge"),
    ],
)
def test_a_call_of_c_that_never_returns_ends_and_is_told_its_line(monkeypatch, source, line):
    monkeypatch.setattr(stuck, "SECONDS", 1)
    monkeypatch.setattr(stuck, "GRACE", 0.2)
    monkeypatch.setattr(stuck, "PROBE_EVERY", 0.1)
    result = check(cell(source), "05.2")
    assert (result.anomaly, result.run) == ("does not end", None)
    assert result.evidence == f"charge runs for ever: what {line} calls does not return"


@pytest.mark.parametrize(
    "waits",
    [
        "threading.Event().wait()",
        "lock = threading.Lock(); lock.acquire(); lock.acquire()",
        "here, there = os.pipe(); os.read(here, 1)",
        "queue.Queue().get()",
        'subprocess.run(["sleep", "1000"])',
    ],
)
def test_a_call_that_waits_for_ever_ends_and_is_told_its_line(monkeypatch, waits):
    monkeypatch.setattr(stuck, "WAIT", 1)
    imports = "import os, queue, subprocess, threading\n"
    result = check(cell(f"{imports}def charge(event, ctx):\n    {waits}"), "05.2")
    assert (result.anomaly, result.run) == ("does not end", None)
    assert result.evidence == "charge runs for ever: what line 2 of charge calls does not return"


def test_a_process_that_the_function_starts_ends_with_the_check():
    here, there = os.pipe()

    def charge(event, ctx):
        if os.fork() == 0:
            signal.pause()  # with the other end of every pipe
        return right(event, ctx)

    assert check(charge, "05.2").correct
    os.close(there)
    assert select.select([here], [], [], 5)[0] and os.read(here, 1) == b""
    os.close(here)


def test_a_line_of_the_package_is_not_the_learners_even_below_a_folder_with_an_umlaut():
    ours = ascii(stuck.__file__)[1:-1]  # as faulthandler writes it
    said = f'  File "{ours}", line 124 in look\n  File "/tmp/ipykernel_1/2.py", line 5 in total\n'
    assert Answer(cell(IN_ANOTHER), "event, ctx", {}).line_in(said) == "line 3 of total"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much a process takes")
def test_a_list_that_grows_for_ever_ends_the_check_and_not_the_machine(monkeypatch):
    monkeypatch.setattr(sys.modules["edalab.practice.apart"], "MEMORY", 50_000_000)
    source = IN_ITSELF.replace("sum", "list")
    result = check(cell(source), "05.2")
    assert (result.anomaly, result.run) == ("does not end", None)
    line = "line 3 of charge"
    assert result.evidence == f"charge takes more memory than a check has: look at {line}"


def test_a_loop_of_python_that_fills_the_memory_is_told_as_a_loop(monkeypatch):
    monkeypatch.setattr(stuck, "SECONDS", 0.25)
    monkeypatch.setattr(stuck, "PROBE_EVERY", 0.05)
    source = (
        "def charge(event, ctx):\n    kept = []\n    while True:\n        kept.append('x' * 1_000)"
    )
    result = check(cell(source), "05.2")
    assert result.anomaly == "does not end"
    assert "line 3 of charge, for over 0.05 s" in result.evidence


def test_many_long_calls_of_c_one_after_the_other_are_no_endless_one(monkeypatch):
    def charge(event, ctx):
        sorted(range(20_000), key=str)
        return right(event, ctx)

    monkeypatch.setattr(stuck, "SECONDS", 0.5)
    monkeypatch.setattr(stuck, "GRACE", 0.1)
    monkeypatch.setattr(stuck, "PROBE_EVERY", 0.05)
    begun = time.process_time()
    assert check(charge, "05.2").correct and time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os._exit(3)", "with exit code 3"),
        ("os._exit(0)", "with exit code 0"),
        ("os.kill(os.getpid(), 9)", "by SIGKILL"),
    ],
)
def test_a_function_that_ends_its_process_gets_a_verdict(end, how):
    result = check(cell(f"import os\ndef charge(event, ctx):\n    {end}"), "05.2")
    assert (result.outcome, result.anomaly) == ("not yet", "not finished")
    assert result.evidence == f"the process of this check ended {how} before everything was tried"
    assert check(right, "05.2").correct


def test_what_a_function_changes_is_gone_with_its_process():
    charge = cell(
        "seen = []\ndef charge(event, ctx):\n    seen.append(1)\n    return right(event, ctx)"
    )
    for _ in range(2):
        result = check(charge, "05.2")
        assert result.evidence == "charge changed seen, which lies outside of it"
        assert charge.__globals__["seen"] == []


def test_a_function_may_use_what_no_other_process_could_be_sent():
    lock, waiting, connection = threading.Lock(), queue.Queue(), __import__("sqlite3").connect("")
    connection.execute("create table rates as select 3 as rate")

    def charge(event, ctx):
        with lock:
            assert waiting.empty() and connection.execute("select rate from rates").fetchone() == (
                3,
            )
        return right(event, ctx)

    assert check(charge, "05.2").correct


def test_what_it_prints_comes_back_and_is_printed_once(capfd):
    def charge(event, ctx):
        print("charged", event.order_id)
        print("nothing but this", file=sys.stderr)

    result = check(charge, "05.2")
    assert result.printed.startswith("It printed: charged order-1\nnothing but this\ncharged")
    assert result.run.rows("payments", "select * from charges") == []
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def interruptible():
    """SIGINT interrupts, also where the tests run in the background of a shell, which ignores it there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_who_interrupts_a_check_is_told_so_and_leaves_no_process_behind(tmp_path, interruptible):
    pid = tmp_path / "pid"

    def charge(event, ctx):
        pid.write_text(str(os.getpid()))
        while True:
            try:
                signal.pause()
            except BaseException:
                pass

    def interrupt():
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.01)
        os.kill(int(pid.read_text()), signal.SIGINT)  # as in a terminal, where both are interrupted
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    result = check(charge, "05.2")
    assert (result.outcome, result.anomaly) == ("not yet", "not finished")
    assert result.evidence == "interrupted before everything was tried"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_in_another_thread_there_is_no_process():
    found = []
    thread = threading.Thread(target=lambda: found.append(can_be_apart()))
    thread.start()
    thread.join()
    assert found == [False] and can_be_apart()


def test_a_mistake_of_ours_is_told_in_its_words():
    with pytest.raises(
        Ended, match="ended with exit code 1 before everything was tried: KeyError: 'a'"
    ):
        apart(lambda: {}["a"])
    with pytest.raises(Ended, match="pickle"):
        apart(lambda: lambda: 3)


def test_as_much_as_there_is_comes_back():
    before = signal.getsignal(signal.SIGINT)
    assert apart(lambda: "x" * 10_000_000) == "x" * 10_000_000
    assert signal.getsignal(signal.SIGINT) is before


IN_A_NOTEBOOK = """
import pathlib
from edalab.practice import check
async def charge_order(event, ctx):
    with ctx.database as db:
        db.execute("update accounts set money = money - ?", (event.total,))
async def charge_for_ever(event, ctx):
    pathlib.Path("pid").write_text("here")
    while True:
        try:
            sum(range(100))
        except BaseException:
            pass
"""


def test_in_a_notebook_a_check_warns_of_nothing_and_can_be_interrupted(tmp_path):
    manager, kernel = start_new_kernel(cwd=str(tmp_path))
    try:
        outputs = [
            output(kernel, source) for source in (IN_A_NOTEBOOK, 'check(charge_order, "05.1")')
        ]
        assert outputs[0] == [] and [kind for kind, _ in outputs[1]] == ["display_data"] * 2, (
            outputs
        )
        assert outputs[1][0][1].startswith("05.1 not yet: "), outputs
        kernel.execute(
            "from edalab import stuck; stuck.SECONDS = 1000; check(charge_for_ever, '05.1')"
        )
        for _ in range(1_200):
            if (tmp_path / "pid").exists():
                break
            time.sleep(0.05)
        manager.interrupt_kernel()
        [(_, said)] = output(kernel)
        assert "interrupted before everything was tried" in said
        assert output(kernel, "1 + 1") == [("execute_result", "2")]
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)


def output(kernel, source: str = "") -> list[tuple[str, str]]:
    """What a cell shows, or the one that runs: each with its kind, and as text."""
    if source:
        kernel.execute(source)
    shown = []
    while True:
        message = kernel.get_iopub_msg(timeout=60)
        kind, content = message["msg_type"], message["content"]
        if content.get("execution_state") == "idle":
            return shown
        if kind not in ("status", "execute_input"):
            text = content.get("data", {}).get("text/plain") or str(content)
            shown.append((kind, text))
