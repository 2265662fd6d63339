"""Every fault tried: what is found, in which order, and what is said of it."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from edalab import Claim, Event, Fault, Misuse, System, claims, simulate
from edalab.claims.explore import explore
from edalab.sim import enumerate_faults


class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str


class PaymentCharged(Event, topic="payments", key="order_id"):
    order_id: str


def shop(dedup=False):
    shop = System("shop")
    payments = shop.service("payments", schema="create table charges (order_id text)")

    @payments.on(OrderPlaced)
    async def charge(event, ctx):
        with ctx.database as db:
            known = db.execute(
                "select 1 from charges where order_id = ?", (event.order_id,)
            ).fetchone()
            if not (dedup and known):
                db.execute("insert into charges values (?)", (event.order_id,))
        await ctx.publish(PaymentCharged(order_id=event.order_id))

    return shop


async def two_orders(ctx):
    for order_id in ("o1", "o2"):
        await ctx.publish(OrderPlaced(order_id=order_id))


@Claim("each order is charged once", about=OrderPlaced)
def charged_once(run):
    return run.rows(
        "payments", "select order_id, count(*) from charges group by 1 having count(*) > 1"
    )


@Claim("each order is charged", about=OrderPlaced)
def charged(run):
    have = run.rows("payments", "select order_id from charges")
    return [order for order in (("o1",), ("o2",)) if order not in have]


def test_every_single_fault_is_tried_once_and_the_client_is_spared_but_for_duplicate_and_delay():
    result = explore(shop(), two_orders, [charged_once])
    plans = [schedule.faults for schedule in result.schedules]
    assert plans[0] == () and len(set(plans)) == len(plans)
    assert [plan[0] for plan in plans[1:]] == enumerate_faults(simulate(shop(), two_orders))
    assert {f.do for (f,) in plans[1:] if f.point[0] == "client"} == {"duplicate", "delay"}
    assert result.coverage == "every single fault; timing of seed 0 only; no pauses or cuts"


def test_faults_of_a_service_that_is_left_out_are_not_tried():
    every = explore(shop(), two_orders, [charged_once])
    result = explore(shop(), two_orders, [charged_once], leave_out=["client"], faults=2, budget=900)
    tried = [fault for schedule in result.schedules for fault in schedule.faults]
    assert tried and not [fault for fault in tried if fault.point[0] == "client"]
    singles = [s.faults for s in every.schedules if s.faults and s.faults[0].point[0] != "client"]
    assert [s.faults for s in result.schedules if len(s.faults) == 1] == singles
    assert "none at client" in result.coverage and "none at" not in every.coverage
    for wrong, says in ((["payment"], "payments"), ("client", "a list"), (3, "a list")):
        with pytest.raises(Misuse, match=says):
            explore(shop(), two_orders, [charged_once], leave_out=wrong)


def test_every_fault_that_is_tried_strikes_and_pairs_include_the_points_that_a_fault_opens():
    result = explore(shop(), two_orders, [charged_once], faults=2)
    for schedule in result.schedules[:: max(1, len(result.schedules) // 150)]:
        assert not result.run(schedule).unfired, schedule
    point = "payments.commit.OrderPlaced"  # without a fault it is reached twice
    opened = Fault("crash", point, 2), Fault("crash", point, 3)
    assert opened in [schedule.faults for schedule in result.schedules]


def test_a_redelivery_and_a_double_publish_charge_twice_and_the_smallest_run_says_why():
    result = explore(shop(), two_orders, [charged_once, charged])
    assert result.outcome(charged_once) == "broken" and result.outcome(charged) == "holds"
    smallest = result.smallest(charged_once)
    assert len(smallest.faults) == 1 and smallest.check(charged_once).outcome == "broken"
    broken = {str(fault) for schedule in result.broken(charged_once) for fault in schedule.faults}
    assert {
        "crash payments.commit.OrderPlaced #1",
        "crash payments.publish.PaymentCharged #2",
    } <= broken
    assert "✗ each order is charged once: broken in" in repr(
        result
    ) and "✓ each order is charged: holds" in repr(result)


def test_with_dedup_the_same_system_survives_every_pair_of_faults():
    result = explore(shop(dedup=True), two_orders, [charged_once, charged], faults=2)
    assert [result.outcome(claim) for claim in (charged_once, charged)] == ["holds", "holds"]
    assert result.smallest(charged_once) is None
    assert "every single fault; every pair" in result.coverage


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_the_result_is_the_same_whatever_the_executor(pool):
    here = explore(shop(), two_orders, [charged_once, charged])
    with pool(2) as executor:
        there = explore(shop(), two_orders, [charged_once, charged], executor=executor)
    assert there.schedules == here.schedules and repr(there) == repr(here)


def test_a_budget_ends_the_search_and_says_what_is_missing():
    result = explore(shop(), two_orders, [charged_once], faults=2, budget=50)
    assert len(result.schedules) == 51  # and the run without a fault
    assert (
        "every single fault" in result.coverage
        and "pairs" in result.coverage
        and " of " in result.coverage
    )


def test_two_equal_runs_that_differ_are_told_with_the_step():
    seen = []
    system = System("shop")

    @system.service("payments").on(OrderPlaced)
    async def charge(event, ctx):
        seen.append(event)
        ctx.note(f"{len(seen)} seen")

    with pytest.raises(
        Misuse,
        match=r"cannot be played again, because payments.note.OrderPlaced of client-1 at .* differs",
    ):
        explore(system, two_orders, [charged_once])


def test_interrupting_keeps_what_was_found():
    runs = []

    @Claim("the learner is patient")
    def patient(run):
        runs.append(run)
        if len(runs) > 20:
            raise KeyboardInterrupt
        return run.rows("payments", "select 1 from charges where 0")

    result = explore(shop(), two_orders, [patient])
    assert len(result.schedules) == 20 and result.coverage.endswith("interrupted")


def test_a_claim_that_tested_nothing_is_not_exercised():
    async def nothing(ctx):
        await ctx.sleep(1)

    result = explore(shop(), nothing, [charged_once])
    assert result.outcome(charged_once) == "not exercised"
    assert "– each order is charged once" in repr(result)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"claims": []}, "at least one claim"),
        ({"claims": [lambda run: None]}, "and a function .* is not one; write @Claim"),
        (
            {"claims": claims.handled_once},
            r"is not one: handled_once makes one; write claims\.handled_once\(",
        ),
        ({"claims": two_orders}, r"and a function \(two_orders\) is not one; write @Claim"),
        ({"claims": None}, "and None is not one"),
        ({"claims": [charged], "faults": -1}, "faults="),
        ({"claims": [charged], "budget": 0}, "budget="),
        ({"claims": [charged], "seeds": []}, "at least one seed"),
        ({"claims": [charged], "seeds": 3}, "at least one seed, .* not 3"),
        ({"claims": [charged], "executor": 2}, "executor of concurrent.futures, .* not 2"),
        (
            {"claims": [charged], "executor": SimpleNamespace(submit=print)},
            "executor of concurrent.futures",
        ),
    ],
)
def test_bad_arguments_are_told(arguments, words):
    with pytest.raises(Misuse, match=words):
        explore(shop(), two_orders, **arguments)


def test_a_claim_that_raises_under_a_fault_keeps_what_was_found():
    @Claim("no order is charged twice")
    def once(run):
        charged = run.rows("payments", "select * from charges")
        return [] if len(charged) == 2 else [charged[2][7]]

    with pytest.raises(Misuse, match="no order is charged twice.*under|IndexError") as raised:
        explore(shop(), two_orders, [once])
    assert raised.value.result.schedules


def test_a_dask_cluster_of_two_processes_can_be_the_executor():
    from distributed import Client, LocalCluster  # half a second, for this test alone

    here = explore(shop(), two_orders, [charged_once, charged], faults=2)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        executor = client.get_executor()
        there = explore(shop(), two_orders, [charged_once, charged], faults=2, executor=executor)
        processes = set(client.run(os.getpid).values())
    assert there.schedules == here.schedules and len(there.schedules) > 128
    assert len(processes) == 2 and os.getpid() not in processes


def test_a_progress_bar_is_shown_on_request_only(capfd):
    explore(shop(), two_orders, [charged_once])
    assert capfd.readouterr().err == ""
    before = threading.active_count()
    explore(shop(), two_orders, [charged_once], progress=True)
    assert threading.active_count() == before  # where there are none, it would warn of that
    assert "schedules" in capfd.readouterr().err


DEFINED_IN_A_NOTEBOOK = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from edalab import Claim, Event, System, explore

class Greeted(Event):
    name: str

town = System("town")
GREETINGS = "create table greetings (name text)"

@town.service("echo", schema=GREETINGS).on(Greeted)
def answer(event, ctx):
    with ctx.database as db:
        db.execute("insert into greetings values (?)", (event.name,))

async def one_greeting(ctx):
    await ctx.publish(Greeted(name="Ada"))

@Claim("Ada is greeted once")
def greeted_once(run):
    return run.rows("echo", "select * from greetings")[1:]

with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
    there = explore(town, one_greeting, [greeted_once], executor=pool)
here = explore(town, one_greeting, [greeted_once])
assert there.schedules == here.schedules and here.broken(greeted_once)
print("the same")
"""


def test_what_a_notebook_defines_travels_to_other_processes():
    ran = subprocess.run(
        [sys.executable, "-c", DEFINED_IN_A_NOTEBOOK], capture_output=True, text=True, timeout=120
    )
    assert ran.stdout == "the same\n", ran.stderr
