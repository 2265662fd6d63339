"""The panel is a skin: each knob is a keyword, what it shows is the run, and the line it gives makes that run again."""

import base64
import itertools
import re
from functools import partial
from html import unescape
from threading import Event as Happened
from threading import Thread

import pytest
from scenes import extent
from weddings import choreographed, one_announced, one_wedding, orchestrated

from edalab import (
    Claim,
    Command,
    Event,
    Fault,
    Misuse,
    Query,
    System,
    claims,
    deploy,
    explore,
    simulate,
)
from edalab.panels import Laboratory
from edalab.panels.faults_asked import RATES, UNREACHED
from edalab.view import timeline

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
DOUBLE = "payments.commit.ShelfReserved"


class OrderTaken(Event, topic="orders", key="order_id"):
    order_id: str


class ShelfReserved(Event, key="order_id"):
    order_id: str


class CardCharged(Event, topic="payments", key="order_id"):
    order_id: str


class PostMail(Command):
    order_id: str


class PriceOf(Query):
    order_id: str


def shop(dedup="none", replicas=1):
    shop = System("shop")
    shop.topic("payments", confirms=False)
    inventory = shop.service("inventory", schema="create table stock (order_id text)")
    payments = shop.service(
        "payments",
        replicas=replicas,
        schema="create table charges (order_id text); create table seen (id text)",
    )
    mail = shop.service("mail")

    @inventory.on(OrderTaken)
    async def reserve(event, ctx):
        with ctx.database as db:
            db.execute("insert into stock values (?)", (event.order_id,))
        await ctx.publish(ShelfReserved(order_id=event.order_id))

    @payments.on(ShelfReserved)
    async def charge(event, ctx):
        await ctx.ask(PriceOf(order_id=event.order_id))
        with ctx.database as db:
            if (
                dedup == "by id"
                and db.execute("select 1 from seen where id = ?", (ctx.message.id,)).fetchone()
            ):
                return
            db.execute("insert into seen values (?)", (ctx.message.id,))
            db.execute("insert into charges values (?)", (event.order_id,))
        await ctx.publish(CardCharged(order_id=event.order_id))
        await ctx.send(PostMail(order_id=event.order_id))

    @inventory.answers(PriceOf)
    def price(query):
        return 10

    @mail.handles(PostMail)
    def send(command, ctx):
        ctx.state["sent"] = ctx.state.get("sent", 0) + 1

    return shop


async def three_orders(ctx):
    for number in (1, 2, 3):
        await ctx.publish(OrderTaken(order_id=f"o{number}"))
        await ctx.sleep(0.2)


def some_orders(orders=2):
    async def play(ctx):
        for number in range(orders):
            await ctx.publish(OrderTaken(order_id=f"o{number}"))

    return play


@Claim("each order is charged once", about=CardCharged)
def charged_once(run):
    for order, n in run.rows(
        "payments", "select order_id, count(*) n from charges group by 1 having n > 1"
    ):
        yield f"{order} was charged {n} times"


@pytest.fixture
def lab():
    return Laboratory(
        shop,
        three_orders,
        claims=[charged_once],
        knobs={"dedup": ["none", "by id"], "replicas": (1, 3)},
    )


def pasted(lab):
    names = {"simulate": simulate, **globals()}
    from edalab import Faults

    exec(lab.code, names | {"Faults": Faults}, names)
    return names["run"]


def visible(lab):
    return lab._tabs.sheets[lab._tabs.visible].value


def in_notebook(monkeypatch, **things):
    """Give things names, as an assignment in a cell does."""
    for name, thing in things.items():
        monkeypatch.setitem(globals(), name, thing)


def test_the_first_run_is_the_calm_one(lab):
    assert lab.run.digest == simulate(shop(), three_orders).digest and lab.run.faults == []
    assert (
        lab.code
        == f'run = simulate(shop(dedup="none", replicas=1), three_orders, seed=0)  # digest {lab.run.digest}'
    )
    assert repr(lab.summary()) == f"{lab.code}\n✓ holds: each order is charged once"
    assert repr(lab) == f"<Laboratory: {lab.code.replace('  #', ' #')}>"


def test_an_exact_fault_breaks_the_claim_and_a_knob_mends_it(lab):
    lab.point.value, lab.action.value, lab.nth.value = DOUBLE, "crash", 2
    assert [str(fault) for fault in lab.run.faults] == [f"crash {DOUBLE} #2"]
    assert lab.verdicts[0].cause == "o2 was charged 2 times" and "✗" in lab._chips.value
    assert "✗ each order is charged once: o2 was charged 2 times" in lab._tabs.message.value
    lab.dedup.value = "by id"
    assert [verdict.outcome for verdict in lab.verdicts] == ["holds"]
    lab.point.value = ""
    assert lab.run.faults == [] and lab.action.disabled


def test_the_verdicts_of_new_knobs_do_not_wait_for_every_fault(lab, monkeypatch):
    lab.tabs.selected_index, seen = lab._tabs.names.index("Every fault"), []
    explored = lab.every_fault.show
    monkeypatch.setattr(
        lab.every_fault,
        "show",
        lambda *made: (seen.append((lab._chips.value, lab._code.value)), explored(*made)),
    )
    lab.point.value = DOUBLE
    assert seen == [(lab._chips.value, lab._code.value)] and "✗" in lab._chips.value


def test_who_interrupts_a_claim_sees_the_new_run_and_no_old_verdict():
    @Claim("nobody interrupts")
    def patient(run):
        if run.seed:
            raise KeyboardInterrupt

    lab = Laboratory(shop, three_orders, claims=[charged_once, patient])
    assert "✓" in lab._chips.value
    with pytest.raises(KeyboardInterrupt):
        lab.seed.value = 1
    assert lab.run.seed == 1 and lab.verdicts == [] and "✓" not in lab._chips.value
    assert (
        lab.run.digest in lab._code.value
        and visible(lab)
        == f'<div class="edalab-picture" style="--width:690px">{timeline(lab.run, cursor=lab.cursor.value, width=690).svg()}</div>'
    )
    lab.seed.value = 0
    assert [verdict.outcome for verdict in lab.verdicts][0] == "holds"


def test_where_no_run_was_ever_played_there_is_no_picture():
    def unfinished():
        raise ValueError("not written yet")

    lab = Laboratory(unfinished, three_orders)
    assert lab.error == "ValueError: not written yet (line 2 of unfinished)"
    with pytest.raises(Misuse, match="there is no run to show: ValueError: not written yet"):
        lab.picture()
    assert "image/png" not in lab._repr_mimebundle_()[0]


def test_the_line_makes_the_same_run_again(lab):
    assert pasted(lab).digest == lab.run.digest
    lab.seed.value, lab.drop.value, lab.delay.value, lab.dedup.value, lab.replicas.value = (
        7,
        0.15,
        0.3,
        "by id",
        2,
    )
    lab.point.value, lab.nth.value = DOUBLE, 2
    assert lab.code.count("\n") >= 1 and f"# digest {lab.run.digest}" in lab.code
    again = pasted(lab)
    assert again.digest == lab.run.digest and again.faults == lab.run.faults and again.faults


def test_every_point_and_action_on_offer_can_be_played_and_pasted(lab):
    tried = set()
    for at in filter(None, dict(lab.point.options).values()):
        lab.point.value = at
        for action in lab.action.options:
            lab.action.value = action
            assert lab.error == "" and pasted(lab).digest == lab.run.digest, lab.code
            assert lab.run.faults or lab.run.unfired
            tried.add((at, action))
    points = {at for at, _ in tried}
    assert {
        "client.publish.OrderTaken",
        "payments.ask.PriceOf",
        "payments.publish.PostMail",
        "inventory.reply.PriceOf",
        "mail.ack.PostMail",
    } <= points
    assert ("payments.publish.CardCharged", "lose") in tried  # its topic does not confirm
    assert ("inventory.publish.ShelfReserved", "lose") not in tried
    assert ("client.publish.OrderTaken", "crash") not in tried
    assert len(tried) > 50


def test_points_that_the_run_reaches_are_offered_first(lab):
    for knob in (None, lab.drop):
        if knob is not None:
            knob.value = 1.0  # less is reached
        names = [name for name, _ in lab.point.options]
        reached = {(s.service, s.step, s.envelope.type) for s in lab.run.journal if s.envelope}
        heading = names.index(UNREACHED)
        for number, (_, at) in enumerate(lab.point.options):
            if at:
                assert (tuple(at.split(".")) in reached) == (number < heading), at


def test_a_point_that_was_not_reached_is_said(lab):
    lab.point.value, lab.nth.value = DOUBLE, 99
    assert "Never happened" in lab._hint.value and "struck" in lab._hint.value and lab.run.unfired
    lab.nth.value = 1
    assert "reached 4 times" in lab._hint.value


def test_a_fault_typed_that_never_happens_is_named(lab):
    lab.plan.value = f"crash {DOUBLE} #9999"
    assert "Never happened: crash" in lab._hint.value and "#9999" in lab._hint.value
    lab.plan.value = f"crash {DOUBLE} #1"
    assert "Never happened" not in lab._hint.value


@pytest.mark.parametrize("name", RATES)
def test_every_rate_goes_to_its_ends(lab, name):
    knob = getattr(lab, name)
    calm = lab.run.digest
    for rate in (0.5, 1.0):
        knob.value = rate
        assert f"Faults({name}={rate:g})" in lab.code and visible(lab).count("<svg") == 1
        if not lab.error:
            assert pasted(lab).digest == lab.run.digest
        else:
            assert (
                "does not end" in lab.error
                and lab.run.faults
                and "raises Endless" in lab.code
                and "does not end" in lab._tabs.message.value
            )
            with pytest.raises(Misuse, match="does not end"):
                pasted(lab)
    knob.value = 0.0
    assert lab.run.digest == calm and lab.error == "" == lab._tabs.message.value


def test_every_other_knob_goes_to_its_ends(lab):
    for seed, replicas, dedup in itertools.product(
        (lab.seed.min, lab.seed.max), (1, 3), ("none", "by id")
    ):
        lab.seed.value, lab.replicas.value, lab.dedup.value = seed, replicas, dedup
        assert pasted(lab).digest == lab.run.digest and lab.run.seed == seed


def test_steps_back_and_forward_go_from_moment_to_moment(lab):
    moments = sorted({step.time / 1000 for step in lab.run.journal})
    assert lab.cursor.value == moments[-1]
    for moment in reversed(moments[:-1]):
        lab.back.click()
        assert lab.cursor.value == moment
    lab.back.click()
    assert lab.cursor.value == 0.0 and ">0 s<" in visible(lab)
    for moment in moments[1:]:
        lab.forward.click()
        assert lab.cursor.value == moment
    lab.forward.click()
    assert lab.cursor.value == moments[-1]


def test_the_cursor_takes_any_time_and_stays_there_in_another_run(lab):
    lab.cursor.value = 0.2107
    moment = lab.cursor.value
    assert moment == max(step.time / 1000 for step in lab.run.journal if step.time <= 210.7)
    lab.dedup.value = "by id"
    assert lab.cursor.value == moment
    for rate in (0.3, 0.6, 0.9, 0.3, 0.0):  # in between, other moments are nearest
        lab.delay.value = rate
    assert lab.cursor.value == moment
    lab.cursor.value = -1
    assert lab.cursor.value == 0.0


def test_only_the_visible_tab_is_drawn_and_it_follows_the_cursor(lab):
    timeline, flow, state, tables = (
        lab._tabs.sheets[name] for name in ("Timeline", "Flow", "State", "Tables")
    )
    assert "<svg" in timeline.value and flow.value == state.value == tables.value == ""
    lab.tabs.selected_index = 1
    assert "<svg" in flow.value
    before = timeline.value
    lab.back.click()
    assert timeline.value == before
    lab.tabs.selected_index = 2
    lab.cursor.value = 0
    assert (
        "<b>inventory.stock</b>: 0 rows" in state.value and lab.tabs.get_title(2) == "State at 0 s"
    )
    lab.cursor.value = 9
    assert "<b>inventory.stock</b>: 3 rows" in state.value and "&#x27;sent&#x27;: 3" in state.value
    lab.tabs.selected_index = 3
    assert (
        f"{len(lab.run.journal)} steps" in tables.value
        and "<b>payments.charges</b>: 3 rows" in tables.value
    )
    lab.point.value = DOUBLE
    assert "<b>payments.charges</b>: 4 rows" in tables.value and 'class="struck"' in tables.value


def test_of_a_run_that_cannot_be_played_again_the_tabs_that_need_no_replay_still_work():
    seen, town = [], System("town")

    @town.service("till").on(OrderTaken)
    def count(event, ctx):
        seen.append(event)
        ctx.note(f"{len(seen)}")

    lab = Laboratory(town, three_orders)
    for number, name in enumerate(("Timeline", "Flow", "State", "Tables")):
        lab.tabs.selected_index = number
        lab.cursor.value = 0.03
        told = "this run cannot be played again" in visible(lab)
        assert told == (name in ("Flow", "State")) and (
            told or name == "Tables" or "<svg" in visible(lab)
        )
    assert lab.error == "" and lab.run.journal


def test_a_kept_run_is_compared_with_the_one_on_the_screen_while_its_tab_is_visible(lab):
    assert lab.kept is None and "Compare" not in lab.tabs.titles
    lab.keep.click()
    calm, sheet = lab.kept, lab._tabs.sheets["Compare"]
    assert calm is lab.run and "Compare" in lab.tabs.titles
    lab.point.value = DOUBLE
    assert lab.kept is calm and lab.run is not calm and sheet.value == ""
    assert "compare(" not in lab.code
    lab.tabs.selected_index = lab._tabs.names.index("Compare")
    assert "payments crashes at commit of ShelfReserved #1" in sheet.value
    assert "First run: kept" in sheet.value and "Second run: on the screen" in sheet.value
    lab.dedup.value = "by id"
    assert 'First run: kept, dedup="none"' in unescape(sheet.value)
    assert 'Second run: on the screen, dedup="by id"' in unescape(sheet.value)
    lab.dedup.value = "none"
    assert "kept, dedup" not in sheet.value
    before = sheet.value
    lab.cursor.value = 0
    assert sheet.value != before and ">0 s</text>" in sheet.value
    lab.correlation.value = "o1"
    assert "Shown: the story of" in sheet.value
    assert lab.code.endswith('compare(kept, run, correlation="o1")')
    assert pasted(lab).digest == lab.run.digest and lab.code in lab.summary()
    lab.correlation.value = ""
    lab.keep.click()
    assert "The runs are the same." in sheet.value and lab.kept is lab.run
    assert lab.code.count("kept = simulate(") == 1 and lab.code.count("run = simulate(") == 1
    assert pasted(lab).digest == lab.run.digest


def test_what_is_down_or_in_flight_is_in_the_state(lab):
    lab.tabs.selected_index, lab.point.value = 2, DOUBLE
    crash = next(step.time for step in lab.run.journal if step.step == "crash") / 1000
    lab.cursor.value = crash
    assert "down" in visible(lab) and '<tr class="struck"><td>payments' in visible(lab)
    assert "crash" in visible(lab)[visible(lab).index("At this moment") :]


def test_long_tables_are_shortened():
    lab = Laboratory(shop, some_orders, knobs={"orders": (1, 200)})
    lab.orders.value, lab.tabs.selected_index = 200, 3
    assert "100 shown" in visible(lab) and len(visible(lab)) < 200_000
    assert re.search(r"[\d,]+ steps, [\d,]+ to [\d,]+ shown", visible(lab))


def test_a_workload_may_be_made_from_knobs_and_a_system_may_be_given(monkeypatch):
    bookshop = shop()
    in_notebook(monkeypatch, bookshop=bookshop)
    lab = Laboratory(bookshop, some_orders, knobs={"orders": (1, 5)})
    assert lab.code.startswith("run = simulate(bookshop, some_orders(orders=2), seed=0)")
    lab.orders.value = 5
    assert len(lab.run.rows("payments", "select * from charges")) == 5


def test_knobs_of_all_kinds(monkeypatch):
    def rates(share=0.25, quick=False, other="b"):
        return shop()

    in_notebook(monkeypatch, rates=rates)
    lab = Laboratory(
        rates,
        three_orders,
        knobs={"share": (0.0, 1.0), "quick": [True, False], "other": ("a", "b", "c")},
    )
    assert lab.code.startswith(
        'run = simulate(rates(share=0.25, quick=False, other="b"), three_orders, seed=0)'
    )


def test_a_point_that_another_system_lacks_is_forgotten():
    def maybe(audited=True):
        system = shop()
        if audited:

            @system.service("audit").on(CardCharged)
            def write_down(event):
                pass

        return system

    lab = Laboratory(maybe, three_orders, knobs={"audited": [True, False]})
    lab.point.value = "audit.commit.CardCharged"
    assert lab.run.faults
    lab.audited.value = False
    assert lab.point.value == "" and lab.error == "" and "audit" not in str(lab.point.options)


# -- what is shown


def test_it_shows_a_live_panel_and_where_no_kernel_runs_a_picture(lab):
    data, about = lab._repr_mimebundle_()
    assert data[WIDGET_VIEW]["model_id"] and data["text/plain"] == str(lab.summary())
    png = (
        data["image/png"]
        if isinstance(data["image/png"], bytes)
        else base64.b64decode(data["image/png"])
    )
    assert png.startswith(b"\x89PNG") and about["image/png"]["width"] > 0
    assert lab._repr_mimebundle_()[0]["image/png"] == data["image/png"]


def test_a_still_picture_says_the_verdicts_and_the_code_inside_its_edges(lab):
    lab.drop.value, lab.point.value = 0.1, DOUBLE
    scene = lab.picture().scene
    said = [label.text for label in scene.labels]
    assert any(
        text.startswith("✗ each order is charged once: o1 was charged 2 times") for text in said
    )
    assert all(text.strip() in said for text in lab.code.splitlines())
    for item in scene.items():
        left, top, right, bottom = extent(item)
        assert 0 <= left <= right <= scene.width and 0 <= top <= bottom <= scene.height, item


def test_learners_text_is_escaped_everywhere():
    evil = "<script>alert('x')</script>"

    class Said(Event, topic="words"):
        text: str

    system = System("words")
    listener = system.service("listener", schema=f'create table "{evil}" ("{evil}" text)')

    @listener.on(Said)
    def hear(event, ctx):
        ctx.note(evil)
        print(evil)
        ctx.state[evil] = evil
        with ctx.database as db:
            db.execute(f'insert into "{evil}" values (?)', (event.text * 400,))
        raise ValueError(evil)

    async def speak(ctx):
        await ctx.publish(Said(text=evil + "\U0001f600\"'&"))

    claims = [Claim(evil)(lambda run: [evil]), Claim(f"{evil} raises")(lambda run: {}[evil])]
    lab = Laboratory(system, speak, claims=claims)
    for tab in range(4):
        lab.tabs.selected_index = tab
        assert "<script" not in visible(lab) and len(visible(lab)) < 60_000
    for html in (lab._chips, lab._tabs.message, lab._code, lab._hint):
        assert "<script" not in html.value
    assert "&lt;script&gt;" in lab._chips.value and "&lt;script&gt;" in lab._tabs.message.value
    assert lab.printed == f"{evil}\n{evil}\n{evil}"  # three attempts
    assert lab._repr_mimebundle_()[0]["image/png"]


def test_a_claim_that_raises_is_told_beside_the_others(lab):
    lab = Laboratory(shop, three_orders, claims=[Claim("x")(lambda run: 1 / 0), charged_once])
    assert "the claim 'x' cannot be checked" in lab.error and len(lab.verdicts) == 1
    assert f"# digest {lab.run.digest}" in lab.code and "cannot be checked" in str(lab.summary())


def test_misuse_in_a_handler_is_told_and_the_run_so_far_is_drawn():
    def broken(step="sleep"):
        system = shop()
        other = system.service("other")

        @other.on(CardCharged)
        async def wait(event, ctx):
            ctx.sleep(1) if step == "forget" else await ctx.sleep(1)

        return system

    lab = Laboratory(broken, three_orders, knobs={"step": ["sleep", "forget"]})
    assert lab.error == ""
    lab.step.value = "forget"
    assert "forgot to await" in lab.error and lab._tabs.message.value and "<svg" in visible(lab)
    assert len(lab.run.journal) > 0 and lab.verdicts == []
    lab.step.value = "sleep"
    assert lab.error == ""


def test_a_system_that_cannot_be_made_is_told():
    def late(services=1):
        system = System("shop")
        return system.service("a b") if services > 1 else system

    async def nothing(ctx):
        await ctx.sleep(1)

    lab = Laboratory(late, nothing, knobs={"services": (1, 2)})
    assert lab.error == ""
    lab.services.value = 2
    assert "a service's name is" in lab.error and "raises Misuse" in lab.code
    assert Laboratory(lambda: 1 / 0, nothing).error == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(system=42), "a system, or a function that makes one from knobs, not 42"),
        (dict(workload="orders"), "takes a workload"),
        (dict(claims=[shop]), "a list of claims, and a function .shop. is not one"),
        (dict(knobs={"dedupe": ["none"]}), "'dedupe'; .*dedup, replicas. Did you mean 'dedup'"),
        (dict(knobs={"dedup": "none"}), "takes a list of values or"),
        (dict(knobs={"dedup": []}), "takes a list of values or"),
        (dict(knobs={"replicas": (3, 1)}), "from a lower to a higher number"),
        (dict(knobs={"replicas": (1, float("inf"))}), "from a lower to a higher number"),
        (
            dict(workload=lambda ctx: None),
            r"takes ctx and is not a coroutine; a workload is `async def",
        ),
        (dict(system=lambda drop: shop(), knobs={"drop": [1]}), "cannot be called 'drop'"),
        (dict(system=lambda size: shop()), "needs size, and there is no such knob"),
    ],
)
def test_mistakes_in_making_a_laboratory(arguments, said):
    with pytest.raises(Misuse, match=said):
        Laboratory(**{"system": shop, "workload": three_orders, **arguments})


@pytest.mark.parametrize("name", ["point", "action", "dedup"])
def test_a_value_that_is_not_on_offer_says_what_is(lab, name):
    with pytest.raises(Misuse, match="no choice 'nowhere'; choices: "):
        getattr(lab, name).value = "nowhere"


def test_the_tab_of_states_names_the_moment_of_the_cursor_whichever_tab_is_looked_at(lab):
    for tab in range(len(lab.tabs.children)):
        lab.tabs.selected_index = tab
        lab.cursor.value = lab.cursor.times[tab]
        assert lab.tabs.get_title(2) == f"State at {lab.cursor.value:g} s"


def test_every_fault_is_tried_when_its_tab_is_looked_at_and_one_picked_is_asked_for(lab):
    assert lab.every_fault.result is None
    lab.tabs.selected_index = 4
    assert "✗" in lab.tabs.get_title(4) and "<svg" in lab.every_fault.marks.picture
    schedules = lab.every_fault.result.schedules
    broken = next(schedule for schedule in schedules if "broken" in schedule.outcomes)
    lab.every_fault.marks.picked = str(broken.faults[0])
    assert lab.tabs.selected_index == 0 and lab.faults == list(broken.faults)
    assert [verdict.outcome for verdict in lab.verdicts] == list(broken.outcomes)
    lab.point.value = ""
    lab.tabs.selected_index = 4
    lab.every_fault.marks.picked = str(broken.faults[0])  # the same mark once more
    assert lab.tabs.selected_index == 0 and lab.faults == list(broken.faults)


def test_a_click_on_the_matrix_of_other_settings_picks_that_fault_or_says_that_it_cannot_strike(
    lab,
):
    lab.tabs.selected_index = 4
    asked = lab.code
    lab.every_fault.marks.picked = "crash gone.handle.OrderTaken #1"  # clicked while it was greyed
    said = lab.every_fault._message.value.replace("<wbr>", "")
    assert "crash gone.handle.OrderTaken #1 cannot strike with these settings." in said
    assert lab.code == asked and lab.tabs.selected_index == 4
    lab.seed.value = 3
    assert "cannot strike" not in lab.every_fault._message.value


def test_every_fault_is_tried_again_after_the_learner_interrupted_it(lab, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("edalab.panels.fault_picker.explore", interrupted)
        lab.tabs.selected_index = 4
    assert "Trying every fault" in lab.every_fault._message.value and not lab.every_fault.result
    lab.tabs.selected_index = 0
    lab.tabs.selected_index = 4
    assert "✗" in lab.tabs.get_title(4) and "<svg" in lab.every_fault.marks.picture
    assert "Trying every fault" not in lab.every_fault._message.value


def test_the_matrix_says_which_faults_it_leaves_out(lab):
    lab.tabs.selected_index = 4
    said = lab.every_fault._message.value.replace("<wbr>", "")
    assert "Each fault strikes alone. Random faults, and all that is asked for above" in said


def test_a_verdict_beside_the_matrix_is_said_to_be_of_the_run_shown(lab):
    assert "IN THE RUN SHOWN" not in lab._tabs.message.value
    lab.point.value, lab.tabs.selected_index = DOUBLE, 4
    label, _, why = lab._tabs.message.value.partition("IN THE RUN SHOWN")
    assert label and "each order is charged once: o1 was charged 2 times" in why


def test_the_matrix_follows_a_knob(lab):
    lab.tabs.selected_index = 4
    before = lab.every_fault.marks.picture
    knob = next(iter(lab.knobs.values()))
    knob.value = next(value for _, value in knob.options if value != knob.value)
    assert lab.every_fault.marks.picture != before


def test_the_number_of_broken_runs_is_not_that_of_another_system(lab):
    lab.tabs.selected_index = 4
    assert "✗" in lab.tabs.get_title(4)
    lab.tabs.selected_index = 0
    lab.point.value = lab.point.options[1][1]
    assert "✗" in lab.tabs.get_title(
        4
    )  # every fault of this system was tried, whichever strikes now
    knob = next(iter(lab.knobs.values()))
    knob.value = next(value for _, value in knob.options if value != knob.value)
    assert lab.tabs.get_title(4) == "Every fault"
    lab.tabs.selected_index = 4
    assert "✗" in lab.tabs.get_title(4)
    lab.tabs.selected_index = 0
    lab.seed.value = 7
    assert lab.tabs.get_title(4) == "Every fault"


def test_a_pasted_plan_is_played_beside_the_exact_fault_and_stands_in_the_code(lab):
    calm = lab.run.digest
    lab.plan.value = "['crash payments.commit.ShelfReserved #1', Faults(delay=0.1), 'cut payments from 5 s to 6 s']"
    assert not lab.error and lab.run.digest != calm
    assert (
        "crash payments.commit.ShelfReserved #1" in lab.code
        and "Faults(delay=0.1)" in lab.code
        and "cut payments from" in lab.code
    )
    lab.plan.value = "crash payments"
    assert "is not a fault" in lab.error and lab.run.digest == calm
    lab.plan.value = ""
    assert not lab.error


new_mail = deploy(shop("by id").services["mail"], rolling=0.5)


def test_a_text_may_name_a_deploy_that_the_panel_was_given():
    lab = Laboratory(shop, three_orders, deploys=[new_mail])
    lab.plan.value = "deploy mail at 0.1 s; crash payments.commit.ShelfReserved #1"
    assert [(s.service, s.time) for s in lab.run.journal if s.step == "deploy"] == [("mail", 100)]
    assert "faults=[new_mail.at(0.1)," in lab.code
    assert pasted(lab).digest == lab.run.digest
    lab.plan.value = "deploy mail at 0.1 rolling 0.5 s"  # as it prints, or without the unit
    assert not lab.error and len(lab.faults) == 1
    for wrong in ("payments at 0.1 s", "mail at 0.1 s rolling 3 s", "mail at once"):
        lab.plan.value = f"deploy {wrong}"
        assert f"{wrong}' is not a deploy on offer; write 'deploy mail at " in lab.error
    with pytest.raises(Misuse, match="deploys= takes a list"):
        Laboratory(shop(), three_orders, deploys=["deploy mail at 1 s"])


def booked(world):
    return {"halls booked": world.rows("halls", "select count(*) from effects where live")[0][0]}


def test_a_saga_has_a_tab_that_follows_the_cursor_with_its_ledger():
    lab = Laboratory(orchestrated(refuse=2), one_wedding, ledger=booked)
    assert [lab.tabs.get_title(n) for n in range(5)] == [
        "Timeline",
        "Flow",
        "Saga",
        "State at 0.64 s",
        "Tables",
    ]
    lab.tabs.selected_index = 2
    assert ">Wedding w1 at 0.64 s: refused at OrderCake, compensated<" in visible(
        lab
    ) and ">✓<" in visible(lab)
    lab.cursor.value = 0.2
    assert ">Wedding w1 at 0.15 s: under way, HireBand asked, no answer yet<" in visible(lab)
    assert ">halls booked<" in visible(lab) and ">now<" in visible(lab) and ">1<" in visible(lab)
    lab.point.value, lab.action.value = "planners.ask.HireBand", "drop"
    lab.cursor.value = 1.2
    assert "under way, HireBand in doubt" in visible(lab)
    lab.correlation.value = "w1"
    assert lab.code.endswith('\nsaga_map(run, correlation="w1", ledger=booked)')


def test_the_tab_of_sagas_comes_and_goes_with_the_system_and_takes_nobody_away_from_where_he_looks():
    def either(sagas="yes"):
        return choreographed(2) if sagas == "yes" else shop()

    def play(sagas="yes"):
        return one_announced if sagas == "yes" else three_orders

    lab = Laboratory(either, play, knobs={"sagas": ["yes", "no"]})
    lab.tabs.selected_index = 4
    lab.sagas.value = "no"
    assert lab.tabs.selected_index == 3 and "<b>payments.charges</b>" in visible(lab)
    assert len(lab.tabs.children) == 4
    lab.sagas.value = "yes"
    assert lab.tabs.selected_index == 4 and "<b>halls.effects</b>" in visible(lab)
    lab.tabs.selected_index = 2
    assert ">Wedding w1 at " in visible(lab)
    lab.sagas.value = "no"
    assert lab.tabs.selected_index == 0 and "<svg" in visible(lab)


def test_a_ledger_that_fails_is_told_on_the_tab():
    lab = Laboratory(
        orchestrated(), one_wedding, ledger=lambda world: world.rows("cellar", "select 1")
    )
    lab.tabs.selected_index = 2
    assert "no service &#x27;cellar&#x27;" in visible(lab)


# -- what the learner's code prints


def chatty(dedup="none"):
    system = shop(dedup)
    audit = system.service("audit")

    @audit.on(CardCharged)
    def write_down(event):
        print("charged", event.order_id)

    return system


@Claim("the audit talks")
def talks(run):
    print("checked", len(run.rows("payments", "select * from charges")))


def test_what_handlers_and_claims_print_is_on_the_panel_with_the_run_that_printed_it(capsys):
    lab = Laboratory(chatty, three_orders, claims=[talks], knobs={"dedup": ["none", "by id"]})
    calm = "charged o1\ncharged o2\ncharged o3\nchecked 3"
    assert lab.printed == calm and f">{calm}</pre>" in lab._tabs.message.value
    lab.point.value = DOUBLE
    assert lab.printed.count("charged o1") == 2 and "checked 4" in lab._tabs.message.value
    lab.tabs.selected_index = 2  # the state at a moment plays the run again
    lab.back.click()
    lab.tabs.selected_index = 4  # and the matrix plays it a hundred times
    assert lab.every_fault.result and lab.printed.count("charged") == 4
    lab.point.value = ""
    assert lab.printed == calm
    assert capsys.readouterr().out == ""


def test_what_is_printed_is_bounded():
    def loud(times=1):
        system = System("loud")

        @system.service("mail").on(OrderTaken)
        def hear(event):
            for _ in range(times):
                print("<b>" + "x" * 500 + "\ud800")

        return system

    lab = Laboratory(loud, three_orders, knobs={"times": (1, 1000)})
    assert "&lt;b&gt;x" in lab._tabs.message.value and "characters" not in lab.printed
    lab.times.value = 1000
    assert len(lab._tabs.message.value) < 10_000 and "… (1,515,000 characters)" in lab.printed


def test_simulate_prints_and_explore_does_not(capsys):
    run = simulate(chatty(), three_orders)
    assert capsys.readouterr().out == "charged o1\ncharged o2\ncharged o3\n"
    run.at(0.3)
    result = explore(chatty(), three_orders, [charged_once])
    assert capsys.readouterr().out == ""
    result.smallest(charged_once)  # one run, asked for
    assert "charged o1" in capsys.readouterr().out


# -- nothing that one clicks moves


def test_a_chip_is_as_wide_for_any_verdict_and_there_where_a_run_fails():
    def broken(step="none"):
        return 1 / 0 if step == "fail" else shop()

    lab = Laboratory(broken, three_orders, [charged_once], knobs={"step": ["none", "fail"]})

    def words():
        return re.sub("<[^>]*>", "", lab._chips.value)

    seen = [words()]
    lab.point.value = DOUBLE
    seen.append(words())
    lab.step.value = "fail"
    seen.append(words())
    assert seen == [f"{sign}each order is charged once" for sign in "✓✗?"]
    assert (
        lab.error
        == "ZeroDivisionError: division by zero (line 2 of broken). The run before is still on the screen"
    )
    assert lab.code.endswith("# raises ZeroDivisionError")


NONSENSE = [
    "crash", "crash payments", "crash payments.comit.ShelfReserved", "crash nobody.commit.ShelfReserved",
    "crash payments.commit.ShelfReserved #0", "crash payments.commit.ShelfReserved #" + "9" * 5_000,
    "delay payments.deliver.ShelfReserved for 1e999 s", "cut payments from 5 s to 1 s", "pause payments/" + "9" * 5_000,
    "[", "[" + "-" * 100_000 + "1", "['x']", "[1]", "Faults(drop=2)", "Faults(nope=1)", "Fault()", "cut()", "f()",
    "<script>", "\ud800", "x" * 100_000, "Fault('crash', 'payments.commit.ShelfReserved', 10**400)",
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: text[:30])
def test_nonsense_as_a_fault_is_told_in_a_sentence_and_the_panel_goes_on(lab, text):
    calm = lab.run.digest
    lab.plan.value = text
    assert lab.error and len(lab.error) < 600 and "<script" not in lab._tabs.message.value
    assert lab.run.digest == calm and "<svg" in visible(lab)
    lab.plan.value = ""
    assert not lab.error and lab.run.digest == calm


@pytest.mark.parametrize(
    "text", ["x", "nan", "inf", "-1", "1e300", "0,2", "\ud800", "<script>", "x" * 100_000]
)
def test_nonsense_as_a_story_is_told_and_all_is_shown(lab, text):
    before, code = visible(lab), lab.code
    lab.correlation.value = text
    assert lab.error and len(lab.error) < 300 and "<script" not in lab._tabs.message.value
    assert visible(lab) == before and lab.code == code
    lab.correlation.value = " "
    assert not lab.error


@pytest.mark.parametrize("returned", [None, 42, "shop"])
def test_a_function_of_knobs_that_makes_no_system_is_told(returned):
    lab = Laboratory(lambda: returned, three_orders)
    assert lab.error.startswith(
        "<lambda> returned nothing; end it with a return"
        if returned is None
        else f"simulate takes a System first, not {returned!r}"
    )
    lab = Laboratory(shop, lambda: returned)
    assert "<lambda> returned nothing" in lab.error or "a workload is a function" in lab.error


# -- one story of many


def test_a_knob_that_is_turned_while_the_panel_simulates_takes_effect_after_it():
    """A kernel may handle the messages of two widgets in two threads."""
    begun, go_on, made = Happened(), Happened(), []

    def slowly(replicas=1, dedup="none"):
        made.append((replicas, dedup))
        if len(made) == 2:  # the first turn of a knob
            begun.set()
            assert go_on.wait(20)
        return shop(dedup, replicas)

    knobs = {"replicas": [1, 2, 3], "dedup": ["none", "by id"]}
    lab = Laboratory(slowly, three_orders, knobs=knobs)
    first = Thread(target=setattr, args=(lab.dedup, "value", "by id"))
    first.start()
    assert begun.wait(20)
    second = Thread(target=setattr, args=(lab.replicas, "value", 3))
    second.start()
    second.join(0.2)
    assert second.is_alive() and len(made) == 2
    go_on.set()
    first.join(20)
    second.join(20)
    assert made == [(1, "none"), (1, "by id"), (3, "by id")]
    again = simulate(shop("by id", 3), three_orders)
    assert lab.run.digest == again.digest and again.digest in lab.code


def test_a_story_is_chosen_by_key_and_by_id():
    lab = Laboratory(shop, some_orders, knobs={"orders": (1, 200)})
    lab.orders.value = 200
    assert "steps hidden" in visible(lab) and "o0" in lab.correlation.options
    worst = visible(lab)
    for wanted in ("o150", "client-151"):
        lab.correlation.value = wanted
        assert "(o150)" in visible(lab) and lab.code.endswith(
            f'\ntimeline(run, correlation="{wanted}")'
        )
    lab.tabs.selected_index = 1  # the story ends long before the run
    assert lab.cursor.value < lab.run.end / 1000
    assert f"at {lab.cursor.value:g} s: " in visible(lab) and "end of the run" not in visible(lab)
    lab.tabs.selected_index = 0
    lab.orders.value, lab.correlation.value = 5, "o150"
    assert lab.error.startswith("no story 'o150'; stories: o0") and "timeline" not in lab.code
    lab.orders.value = 200
    assert not lab.error
    lab.correlation.value = ""
    assert visible(lab) == worst


def test_the_story_that_is_chosen_is_the_saga_that_is_shown():
    lab = Laboratory(orchestrated(refuse=2), one_wedding)
    lab.tabs.selected_index, lab.correlation.value = 2, "w1"
    assert ">Wedding w1 at " in visible(lab)


def test_a_picked_mark_brings_the_cursor_to_the_moment_the_fault_strikes_and_asks_for_nothing_else(
    lab,
):
    lab.tabs.selected_index = 4
    for schedule in lab.every_fault.result.schedules[1::7]:
        lab.plan.value, lab.delay.value, lab.correlation.value = f"delay {DOUBLE} #9", 0.5, "o1"
        (fault,) = schedule.faults
        lab.every_fault.marks.picked = str(fault)
        row = next(row for row in lab.run.journal if row.fault == fault.do)
        assert lab.faults == lab.run.faults == [fault] and not lab.correlation.value
        assert lab.cursor.value == row.time / 1000 and lab.tabs.selected_index == 0
        lab.tabs.selected_index = 4


def test_a_picked_mark_of_a_long_run_shows_the_story_that_the_fault_struck():
    def failing():
        system = shop()

        @system.service("audit").on(OrderTaken)
        def refuse(event):
            if event.order_id == "o3":
                raise ValueError("not this one")

        return system

    lab = Laboratory(failing, some_orders(12), claims=[charged_once])
    lab.tabs.selected_index = 4
    fault = Fault("delay", "payments.deliver.ShelfReserved", 10)
    lab._ask_for(lab.every_fault.result.schedules[0]._replace(faults=(fault,)))
    struck = next(row for row in lab.run.journal if row.fault == "delay")
    assert "the story of OrderTaken client-4 (o3)" in timeline(lab.run).svg()  # by itself
    assert lab.correlation.value == struck.envelope.correlation == "client-10"
    assert struck in lab._excerpt.steps and lab.cursor.value == struck.time / 1000


# -- the line, pasted where the panel was made


@pytest.mark.parametrize(
    ("made", "first", "begin"),
    [
        (
            "shop(), some_orders(2)",
            "system = shop(); workload = some_orders(2)",
            "system, workload",
        ),
        ("shop, some_orders(2)", "workload = some_orders(2)", "shop(), workload"),
        ("lambda: shop(), three_orders", "system = shop", "system(), three_orders"),
        (
            "partial(shop, 'by id'), three_orders",
            "system = partial(shop, 'by id')",
            "system(), three_orders",
        ),
        ("shop, three_orders", "", "shop(), three_orders"),
    ],
)
def test_the_line_reproduces_the_run_where_it_is_pasted_or_says_what_to_name(made, first, begin):
    names = {
        "shop": shop,
        "some_orders": some_orders,
        "three_orders": three_orders,
        "partial": partial,
    }
    exec(f"from edalab.panels import Laboratory\nlab = Laboratory({made})", names)
    lab = names["lab"]
    lab.delay.value, lab.correlation.value = 0.3, "o1"
    code = lab.code
    assert f"run = simulate({begin}, seed=0" in code
    wanted = ", ".join(f"{part.split(' = ')[0]} = …" for part in first.split("; ") if part)
    assert (f"# First name what you gave to Laboratory: {wanted}\n" in code) == bool(wanted)
    exec(first, names)  # follow the advice
    exec(code, names)
    assert names["run"].digest == lab.run.digest


def test_a_value_of_a_knob_that_cannot_be_written_down_is_named(monkeypatch):
    def made(way):
        return shop()

    def quickly(): ...

    in_notebook(monkeypatch, made=made, quickly=quickly)
    lab = Laboratory(made, three_orders, knobs={"way": [quickly, object()]})
    assert lab.code.startswith("run = simulate(made(way=quickly), ")
    lab.way.value = lab.way.options[1][1]
    assert lab.code.startswith(
        "# First name what you gave to Laboratory: way = …\nrun = simulate(made(way=way), "
    )


def test_another_function_of_the_same_name_is_not_taken_for_the_one_on_the_screen(monkeypatch):
    in_notebook(monkeypatch, mine=lambda: shop())
    lab = Laboratory(mine, three_orders)  # noqa: F821
    assert lab.code.startswith("run = simulate(mine(), ")
    in_notebook(monkeypatch, mine=lambda: shop("by id"))
    assert lab.code.startswith("# First name what you gave to Laboratory: system = …\n")


def test_every_fault_of_a_long_run_is_bounded_and_each_can_be_picked_where_no_mark_has_room():
    long = System("long")
    service = long.service("notifications-of-the-customers", schema="create table sent (id text)")

    class CustomerRegisteredSuccessfully(Event, topic="customers"):
        id: str

    @service.on(CustomerRegisteredSuccessfully)
    def send(event, ctx):
        with ctx.database as db:
            db.execute("insert into sent values (?)", (event.id,))

    def load(number):
        async def customers(ctx):
            for id in range(number):
                await ctx.publish(CustomerRegisteredSuccessfully(id=str(id)))

        return customers

    once = claims.handled_once(CustomerRegisteredSuccessfully)
    for number in (8, 1_000):
        lab = Laboratory(long, load(number), claims=[once])
        lab.tabs.selected_index = 4
        result, every_fault = lab.every_fault.result, lab.every_fault
        broken = [schedule for schedule in result.schedules if "broken" in schedule.outcomes]
        tried = {str(schedule.faults[0]) for schedule in result.schedules[1:]}
        assert broken and {run[0] for *_, runs in every_fault.marks.cells for run in runs} == tried
        assert len(result.schedules) * len(lab.run.journal) < 2 * 500_000
    assert "of" in result.coverage and len(result.schedules) < 200
    lab.every_fault.marks.picked = str(broken[0].faults[0])
    assert lab.run.faults == list(broken[0].faults)
