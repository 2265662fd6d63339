"""Lesson 09 says what its runs say: what goes wrong while copies differ, and what each way out costs."""

from collections import Counter

import lessons
import pytest

from edalab import cut, explore, simulate, skew
from edalab.sim import enumerate_faults

NAME = "09-eventual-consistency"
AT_CLIENT = ["client"]


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


def outcomes(lesson, system, workload, claims, faults=1) -> list[str]:
    """The outcomes of claims under every single fault of the services."""
    result = explore(system, workload, claims, faults=faults, leave_out=AT_CLIENT)
    return [result.outcome(claim) for claim in claims]


def broken_with(system, workload, window, claims) -> list[tuple]:
    """The single faults that break a claim in a run that has these windows anyway."""
    plain = simulate(system, workload, faults=window)
    found = []
    for fault in enumerate_faults(plain):
        if fault.point[0] != "client":
            run = simulate(system, workload, faults=[*window, fault])
            found += [(str(fault), claim.name) for claim in claims if not run.check(claim)]
    return found


def test_without_a_fault_ten_pieces_are_sold_and_the_copies_agree_in_the_end(lesson):
    assert all(lesson.quiet.check(claim) for claim in lesson.CLAIMS)
    assert len(lesson.sold(lesson.quiet)) == 10
    early = [lesson.quiet.at(time).rows("south", lesson.LEFT) for time in (0.1, 0.3)]
    assert early == [[(10,)], [(9,)]]
    picture = repr(lesson.copies(lesson.quiet, lesson.LEFT))
    assert "differ for 1.2 s in all; equal again at 3.82 s" in picture


def test_nine_single_faults_sell_a_piece_twice_and_none_makes_the_copies_differ_for_good(lesson):
    result = explore(lesson.shops(), lesson.customers(), lesson.CLAIMS, leave_out=AT_CLIENT)
    assert len(result.broken(lesson.never_twice)) == 9 and len(result.schedules) == 411
    assert result.outcome(lesson.copies_agree) == result.outcome(lesson.all_served) == "holds"


def test_in_a_cut_the_shops_sell_twelve_pieces_and_agree_on_minus_two(lesson):
    run = lesson.through
    assert run.check(lesson.never_twice).evidence == ["11", "12"]
    assert run.check(lesson.all_served) and run.check(lesson.copies_agree)
    assert [run.rows(shop, lesson.LEFT) for shop in lesson.MESSAGES] == [[(-2,)], [(-2,)]]
    assert not run.failures and "dead_letter" not in {step.step for step in run.journal}


def test_a_cut_in_one_direction_or_quick_customers_are_enough(lesson):
    fast = lesson.verdicts([], every=0.05)
    found = {**lesson.cuts, "fast": fast}
    assert {name: row["sold"] for name, row in found.items()} == {
        "both ways": 12,
        "south deaf": 11,
        "north deaf": 11,
        "fast": 11,
    }
    for row in found.values():
        assert [*row.values()][1:] == ["broken", "holds", "holds"]


def test_a_customer_who_changes_shops_sees_the_past_without_any_fault(lesson):
    assert not lesson.looked.faults
    assert not lesson.looked.check(lesson.reads_own_writes)
    assert lesson.looked.check(lesson.reads_monotonic)
    twice = simulate(lesson.shops(), lesson.looks_twice)
    assert not twice.check(lesson.reads_monotonic)
    story = [(step.time, step.step) for step in lesson.looked.journal
             if step.step == "publish" or (step.step, step.service) == ("answer", "client")]  # fmt: skip
    assert story == [(20, "answer"), (40, "answer"), (200, "publish")]


def test_an_order_that_comes_to_both_shops_takes_two_pieces_and_both_copies_say_so(lesson):
    async def both_doors(ctx):
        for message in (lesson.BuyInNorth, lesson.BuyInSouth) * 2:
            await lesson.ask(ctx, message(order_id="x"))

    run = simulate(lesson.shops(), both_doors)
    assert [run.rows(shop, lesson.LEFT) for shop in lesson.MESSAGES] == [[(8,)], [(8,)]]
    assert run.check(lesson.copies_agree)


def test_a_session_token_keeps_both_guarantees_under_every_fault_and_costs_a_wait(lesson):
    claims = [lesson.reads_own_writes, lesson.reads_monotonic]
    assert outcomes(lesson, lesson.patient, lesson.ada_with_token, claims, 2) == ["holds"] * 2
    assert broken_with(lesson.patient, lesson.ada_with_token, lesson.AWAY, claims) == []
    claims.append(lesson.all_answered)
    without = outcomes(lesson, lesson.shops(), lesson.ada_with_token, claims)
    assert without == ["broken", "broken", "holds"]
    result = explore(lesson.patient, lesson.ada_with_token, claims, leave_out=AT_CLIENT)
    assert len(result.broken(lesson.all_answered)) == 5
    assert [*map(str, result.broken("all_answered")[0].faults)] == ["crash north.handle.relay #1"]

    def looks(system, faults=()):
        run = simulate(system, lesson.ada_with_token, faults=faults)
        return lesson.waits(run, lesson.Visit)

    assert [ms for ms, _ in looks(lesson.shops())] == [20, 20, 20]
    assert [ms for ms, _ in looks(lesson.patient)] == [220, 20, 20]
    cut_off = looks(lesson.patient, lesson.AWAY)
    assert [ms for ms, _ in cut_off] == [520, 20, 520]
    assert [answer for _, answer in cut_off][::2] == ["refused: not yet"] * 2


def test_her_token_is_right_after_a_purchase_in_the_other_shop(lesson):
    async def buys_in_both(ctx):
        token = Counter(await lesson.ask(ctx, lesson.BuyInNorth(order_id="a")))
        answer = await lesson.ask(ctx, lesson.BuyInSouth(order_id="b"))
        assert answer == {"south": 1}  # it is older than her token
        token |= Counter(answer)
        await lesson.ask(ctx, lesson.VisitSouth(seen=token))

    run = simulate(lesson.patient, buys_in_both)
    assert run.check(lesson.reads_own_writes) and run.check(lesson.all_answered)


def test_last_write_wins_loses_a_write_in_the_cut_and_a_later_one_to_a_fast_clock(lesson):
    both = {"north": ["organic"], "south": ["organic"]}
    assert lesson.on_show(lesson.at_once) == both
    assert lesson.at_once.check(lesson.labels_agree)
    assert lesson.at_once.check(lesson.none_unseen).evidence == ["ten bags"]
    earlier = {"north": ["ten bags"], "south": ["ten bags"]}
    assert lesson.on_show(lesson.ahead) == earlier
    assert lesson.ahead.check(lesson.none_unseen).evidence == ["organic"]
    right_clock = simulate(lesson.labelled_shops(lesson.keep_newest), lesson.changes("n1"))
    assert lesson.on_show(right_clock) == both and right_clock.check(lesson.none_unseen)


def test_what_nobody_has_replaced_is_kept_whatever_the_clocks_say(lesson):
    claims = [lesson.none_unseen, lesson.labels_agree]
    knowing, unknowing = lesson.changes("n1"), lesson.changes()
    assert outcomes(lesson, lesson.kept, knowing, claims) == ["holds", "holds"]
    assert broken_with(lesson.kept, unknowing, lesson.CUT, claims) == []
    for clock in (-2, 2):
        assert broken_with(lesson.kept, knowing, [skew("north", clock)], claims) == []
    cut = simulate(lesson.kept, unknowing, faults=lesson.CUT)
    assert lesson.on_show(cut)["north"] == ["organic", "ten bags"]

    async def merged(ctx):
        await unknowing(ctx)
        await ctx.sleep(7)
        replaced = {"instead_of": ["n1", "s1"]}
        both = lesson.LabelInNorth(change_id="n2", text="organic, ten bags", **replaced)
        await lesson.ask(ctx, both)

    run = simulate(lesson.kept, merged, faults=lesson.CUT)
    assert lesson.on_show(run) == {shop: ["organic, ten bags"] for shop in lesson.MESSAGES}
    assert run.check(lesson.none_unseen)


def test_a_label_that_was_replaced_may_come_back(lesson):
    async def back_and_forth(ctx):
        texts = "ten bags", "organic", "ten bags"
        for number, (text, message) in enumerate(
            zip(texts, [lesson.LabelInNorth, lesson.LabelInSouth] * 2, strict=False)
        ):
            before = [str(number - 1)] if number else []
            await lesson.ask(ctx, message(change_id=str(number), text=text, instead_of=before))
            await ctx.sleep(1)

    run = simulate(lesson.kept, back_and_forth)
    assert lesson.on_show(run) == {shop: ["ten bags"] for shop in lesson.MESSAGES}
    assert run.check(lesson.none_unseen)


def test_counters_of_each_shop_end_equal_in_any_order_and_twice(lesson):
    ends = lesson.left_in_the_end
    assert ends(lesson.one_more, lesson.NEWS) == [7]
    assert ends(lesson.one_more, lesson.NEWS * 2) == [4]
    assert ends(lesson.highest, lesson.NEWS * 2) == [7]


def test_five_each_never_sells_twice_and_leaves_two_pieces(lesson):
    claims = [lesson.never_twice, lesson.shares_sold, lesson.copies_agree]
    workload = lesson.customers()
    assert outcomes(lesson, lesson.five_each, workload, claims) == ["holds"] * 3
    for window in (lesson.CUT, lesson.CUT[:1], lesson.CUT[1:]):
        assert broken_with(lesson.five_each, workload, window, claims) == []
    assert not lesson.shared.check(lesson.all_served)
    own = Counter(shop for (shop,) in lesson.shared.rows("north", "select shop from sales"))
    assert own == {"north": 5, "south": 3}
    assert len(simulate(lesson.five_each, workload).check(lesson.all_served).evidence) == 4


def test_an_owner_serves_all_whom_it_hears_and_refuses_the_others_late(lesson):
    system, workload = lesson.one_owner(), lesson.customers()
    assert outcomes(lesson, system, workload, lesson.CLAIMS) == ["holds"] * 3
    safe = [lesson.never_twice, lesson.copies_agree]
    assert broken_with(system, workload, lesson.CUT, safe) == []
    buys = [lesson.waits(simulate(system, workload, faults=faults), lesson.BuyInSouth)
            for faults in ((), lesson.CUT)]  # fmt: skip
    assert [[ms for ms, _ in told] for told in buys] == [[60, 60, 40], [60, 1820, 1820]]
    assert buys[0][2][1] == "refused: no piece is free"
    assert buys[1][2][1] == "refused: ask again later"
    served = simulate(system, workload, faults=lesson.CUT).check(lesson.all_served)
    assert served.evidence == ["07", "11"]
    longer = explore(system, workload, lesson.CLAIMS, seeds=[1], leave_out=AT_CLIENT)
    assert [len(longer.broken(claim)) for claim in lesson.CLAIMS] == [0, 8, 0]


def test_a_cut_between_the_two_questions_leaves_a_payment_in_doubt(lesson):
    window = [cut(a, 0.89, 9, from_=b) for a, b in (("north", "south"), ("south", "north"))]
    run = simulate(lesson.one_owner(), lesson.customers(), faults=window)
    assert lesson.waits(run, lesson.BuyInSouth)[0] == (1840, '"in doubt"')
    assert "03" in [order for _, order, _ in lesson.sold(run)]


def test_a_reservation_that_nobody_pays_for_is_released(lesson):
    async def reserves(ctx):
        await ctx.send(lesson.Reserve(order_id="ada"))
        await ctx.sleep(7)

    run = simulate(lesson.one_owner(), reserves)
    assert run.at(4).rows("north", "select order_id from holds") == [("ada",)]
    assert run.rows("north", "select * from holds") == []


def test_a_request_that_comes_too_late_holds_a_piece_unless_it_expires(lesson):
    assert [order for order, _ in lesson.held()] == ["01", "02"]
    assert lesson.held(expires=2) == []
    assert len(lesson.held(expires=20)) == 2
    system = lesson.one_owner(lesson.reserve_later(expires=2))
    run = simulate(system, lesson.customers("ss", every=2), faults=lesson.AWAY)
    assert [step.step for step in run.journal].count("expired") == 2


def test_everyone_sold_twice_gets_one_apology(lesson):
    claims = [lesson.apologised, lesson.copies_agree]
    system, fast = lesson.shops_with_care(), lesson.customers(every=0.05)
    assert outcomes(lesson, system, fast, claims) == ["holds", "holds"]
    window = [*lesson.CUT, skew("south", -2)]
    assert broken_with(system, lesson.customers(), window, claims) == []
    sent = {}
    for clock in (0, -2):
        clocks = [skew("south", clock)] if clock else []
        run = simulate(system, lesson.customers(), faults=[*lesson.CUT, *clocks])
        sent[clock] = [order for (order,) in run.rows("care", "select * from apologies")]
    assert sent == {0: ["11", "12"], -2: ["10", "12"]}


def test_the_price_of_each_way(lesson):
    table = {
        (when, way): [*lesson.price(system, faults).values()]
        for when, faults in (("no cut", ()), ("cut", lesson.CUT))
        for way, system in lesson.WAYS.items()
    }
    assert table == {
        ("no cut", "sell anyway"): [10, 2, 0, 0, 0, 20],
        ("no cut", "five each"): [8, 4, 4, 0, 0, 20],
        ("no cut", "ask the owner"): [10, 2, 0, 0, 0, 60],
        ("no cut", "sell and apologise"): [10, 2, 0, 0, 0, 20],
        ("cut", "sell anyway"): [12, 0, 0, 2, 0, 20],
        ("cut", "five each"): [8, 4, 4, 0, 0, 20],
        ("cut", "ask the owner"): [10, 2, 2, 0, 0, 1820],
        ("cut", "sell and apologise"): [12, 0, 0, 2, 2, 20],
    }


def test_in_the_panel_the_ways_turn_red_that_the_text_names(lesson):
    def red(faults, every=0.4):
        return {
            (way, claim.name)
            for way in lesson.WAYS
            for run in [
                simulate(lesson.the_shops(way), lesson.customers(every=every), faults=faults)
            ]
            for claim in lesson.CLAIMS
            if not run.check(claim)
        }

    unsold = {("five each", "all_served")}
    twice = {("sell anyway", "never_twice"), ("sell and apologise", "never_twice")}
    assert red([]) == unsold
    assert red([], every=0.05) == unsold | twice
    assert red(lesson.CUT) == unsold | twice | {("ask the owner", "all_served")}
