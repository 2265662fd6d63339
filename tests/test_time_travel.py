"""The panel over `store.state`: works by `.value`, shows what the store says, and gives the line that asks it."""

from datetime import UTC, datetime, timedelta

import pytest
from accounts import AccountOpened, MoneyDeposited, account_7, balance, year_of
from hypothesis import given, settings
from hypothesis import strategies as st

from edalab import EventStore, Misuse
from edalab.panels import TimeTravel
from edalab.panels.player import STEP
from edalab.panels.time_slider import TimeSlider

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def two_accounts():
    store = account_7()
    store.append(
        "account-8",
        [AccountOpened(owner="Ada"), MoneyDeposited(amount=5)],
        recorded="2026-04-02T10:00Z",
    )
    return store


def in_notebook(monkeypatch, **things):
    """Give things names, as an assignment in a cell does; return the first."""
    for name, thing in things.items():
        monkeypatch.setitem(globals(), name, thing)
    return next(iter(things.values()))


def test_two_sliders_ask_the_store(monkeypatch):
    store = in_notebook(monkeypatch, store=account_7())
    travel = TimeTravel(store, "account-7", balance, 0)
    assert (travel.state, travel.now) == (110, 110) and travel.as_of.now
    travel.until.value, travel.as_of.value = "2026-03-22", "2026-03-24"
    assert (travel.state, travel.now) == (40, 110)
    assert (
        travel.code
        == 'store.state("account-7", balance, 0, until="2026-03-22", as_of="2026-03-24")  # 40'
    )
    assert travel.summary() == (
        travel.code
        + "\nas known now: 110; learned since: deposited 70, happened 12 March, recorded 26 March"
    )
    assert repr(travel) == f"<TimeTravel: {travel.code}>" and repr(travel.summary()) == str(
        travel.summary()
    )


def test_the_line_of_code_gives_what_is_on_the_screen_wherever_the_sliders_are():
    for store in (account_7(), year_of(60), in_seconds(), year_of(3)):
        stream = store.streams()[0]
        travel = TimeTravel(store, stream, balance, 0)
        positions = range(0, len(travel.until.times), len(travel.until.times) // 6 + 1)
        for until in positions:
            for known in positions:
                travel.until.slider.value, travel.as_of.slider.value = until, known
                assert eval(travel.code, {"store": store, "balance": balance}) == travel.state, (
                    travel.code
                )


def test_buttons_go_from_event_to_event_and_stay_at_the_ends():
    travel = TimeTravel(account_7(), "account-7", balance, 0)
    seen = []
    for _ in range(6):
        travel.until.back.click()
        seen.append((travel.until.value, travel.state))
    assert seen == [
        ("2026-03-20", 110),
        ("2026-03-12", 130),
        ("2026-03-08", 60),
        ("2026-03-03", 100),
        ("2026-03-01", 0),
        ("2026-03-01", 0),
    ]
    travel.until.value = "2026-03-10"
    travel.until.forward.click()
    assert travel.until.value == "2026-03-12"
    travel.as_of.back.click()
    assert (travel.as_of.value, travel.state, travel.now) == ("2026-03-20", 60, 130)
    travel.as_of.forward.click()
    assert travel.as_of.now and "as_of" not in travel.code


def test_the_slider_goes_over_days_and_over_what_else_happened_on_one():
    store = EventStore(":memory:")
    for moment in ("2026-03-01T09:00Z", "2026-03-01T12:00Z", "2026-03-04T09:00Z"):
        store.append("a", [MoneyDeposited(amount=1)], recorded=moment)
    travel = TimeTravel(store, "a", balance, 0)
    values = []
    for position in range(len(travel.until.times)):
        travel.until.slider.value = position
        values.append((travel.until.value, travel.state))
    assert values == [
        ("2026-03-01T09:00:00Z", 1),
        ("2026-03-01", 2),
        ("2026-03-02", 2),
        ("2026-03-03", 2),
        ("2026-03-04", 3),
    ]


def in_seconds():
    store = EventStore(":memory:")
    store.append("a", [MoneyDeposited(amount=5)], recorded=0.5)
    store.append("a", [MoneyDeposited(amount=7)], happened=1.25, recorded=3)
    store.append("a", [MoneyDeposited(amount=1)], recorded=4)
    return store


def test_virtual_time_is_in_seconds(monkeypatch):
    store = in_notebook(monkeypatch, store=in_seconds())
    travel = TimeTravel(store, "a", balance, 0)
    travel.until.value, travel.as_of.value = 2, 3.5
    assert travel.code == 'store.state("a", balance, 0, until=1.25, as_of=3.0)  # 12'
    with pytest.raises(Misuse, match=r"until.value takes a datetime"):
        travel.until.value = "yesterday"


def test_another_stream_can_be_chosen_and_one_that_is_not_there_cannot(monkeypatch):
    store = in_notebook(monkeypatch, store=two_accounts())
    travel = TimeTravel(store, "account-7", balance, 0)
    travel.until.value = "2026-03-10"
    travel.stream.value = "account-8"
    assert (
        travel.code.startswith('store.state("account-8", balance, 0, until="2026-0')
        and not travel.error
    )
    travel.until.value = "2026-05-01"
    assert travel.state == 5
    with pytest.raises(Misuse, match="no choice 'account-9'; choices: account-7, account-8"):
        travel.stream.value = "account-9"
    with pytest.raises(Misuse, match="no choice 'account-9'"):
        TimeTravel(two_accounts(), "account-9", balance, 0)
    every = TimeTravel(store, None, balance, 0)
    assert every.code.startswith("store.state(None, balance, 0") and every.state == 115


def test_streams_are_offered_in_the_order_of_their_numbers():
    store = EventStore(":memory:")
    for name in ("account-13", "account-9", "7", "account-", "account"):
        store.append(name, [MoneyDeposited(amount=1)], recorded=0)
    assert [name for name, _ in TimeTravel(store, "7", balance, 0).stream.options] == [
        "7",
        "account",
        "account-",
        "account-9",
        "account-13",
    ]


def test_a_stream_with_more_days_has_sliders_that_know_its_last_day_from_the_beginning():
    travel = TimeTravel(two_accounts(), "account-8", balance, 0)
    shorter = travel.until.slider
    travel.stream.value = "account-7"
    assert (
        travel.until.slider is not shorter
        and travel.until.slider in travel.until.row.children[-1].children
    )
    assert (
        travel.until.slider.max == len(travel.until.times) - 1
        and shorter not in travel.until.row.children[-1].children
    )
    travel.until.slider.value = 0
    assert 'until="2026-03-01"' in travel.code and travel.state == 0
    travel.until.slider.value = travel.until.slider.max
    assert travel.state == 110


def test_it_calls_the_store_and_the_fold_by_their_names(monkeypatch):
    books = account_7()

    def how_much(state, fact):
        return {"total": balance(state.get("total", 0), fact)}

    in_notebook(monkeypatch, books=books, how_much=how_much)
    travel = TimeTravel(books, "account-7", how_much, {}, value=lambda state: state.get("total", 0))
    assert (
        travel.code
        == 'books.state("account-7", how_much, {}, until="2026-03-26")  # {\'total\': 110}'
    )
    assert not travel.error and "how much" in repr(travel.picture())


def test_what_it_shows_is_why_and_what_was_learned_since():
    travel = TimeTravel(account_7(), "account-7", balance, 0)
    travel.until.value, travel.as_of.value = "2026-03-22", "2026-03-24"
    assert "1 event" in travel._since.value and "Why</b>: 4 events" in travel._why.value
    assert "<b>deposited 70</b><br>happened 12 March, recorded 26 March<" in travel._since.value
    assert (
        "40, as known on 24 March" in travel._picture.value
        and "was 40" not in travel._picture.value
    )
    assert (
        "as known on 24 March</td><td>40" in travel._states.value
        and "as known now</td><td>110" in travel._states.value
    )
    assert "as_of=&quot;2026-03-24&quot;" in travel._code.value


def test_in_a_saved_notebook_it_is_a_picture_and_text(monkeypatch):
    store = in_notebook(monkeypatch, store=account_7())
    travel = TimeTravel(store, "account-7", balance, 0)
    data, about = travel._repr_mimebundle_()
    assert (
        data["image/png"].startswith(b"\x89PNG")
        and data["text/plain"] == travel.summary()
        and WIDGET_VIEW in data
    )
    assert about["image/png"]["width"] == 840
    assert travel.code in [label.text for label in travel.picture().scene.labels]


def test_what_a_fold_raises_is_read_on_the_panel():
    travel = TimeTravel(account_7(), "account-7", lambda state, fact: state / 0, 0)
    assert (
        "division by zero" in travel.error
        and "division by zero" in travel._picture.value
        and "division" in travel.summary()
    )
    assert (
        WIDGET_VIEW in travel._repr_mimebundle_()[0]
        and "image/png" not in travel._repr_mimebundle_()[0]
    )


def test_an_empty_store_is_said():
    travel = TimeTravel(EventStore(":memory:"), None, balance, 0)
    assert "has no events yet" in travel.error


def test_a_bound_over_very_many_days_goes_from_event_to_event():
    store = EventStore(":memory:")
    for moment in ("1990-01-01", "2010-05-05", "2026-03-04"):
        store.append("a", [MoneyDeposited(amount=1)], recorded=moment)
    travel = TimeTravel(store, "a", balance, 0)
    assert isinstance(travel.until, TimeSlider) and len(travel.until.times) == 3


def test_what_a_fold_prints_is_read_on_the_panel_once(capsys):
    def chatty(state, fact):
        print(f"{type(fact).__name__} <b>")
        return balance(state, fact)

    travel = TimeTravel(account_7(), "account-7", chatty, 0)
    travel.until.value = "2026-03-03"
    printed = travel._why.value.partition("<pre")[2].partition("</pre>")[0]
    assert printed.count("&lt;b&gt;") == len(account_7().read("account-7", until="2026-03-03"))
    assert capsys.readouterr().out == ""


def test_the_line_says_what_has_no_name_where_the_panel_was_made():
    names = {"account_7": account_7, "balance": balance}
    exec("from edalab.panels import TimeTravel", names)
    exec(
        "t = TimeTravel(account_7(), 'account-7', lambda state, fact: balance(state, fact), 0)",
        names,
    )
    code = names["t"].code
    assert code.startswith(
        "# First name what you gave to TimeTravel: store = …, fold = …\nstore.state("
    )
    exec("store, fold = account_7(), balance", names)  # follow the advice
    assert eval(code.splitlines()[1], names) == names["t"].state == 110


@pytest.mark.parametrize("bound", ["until", "as_of"])
@pytest.mark.parametrize(
    "value", ["", "yesterday", "2026-13-01", None, [], float("nan"), True, "\ud800", "x" * 9_999]
)
def test_nonsense_as_a_moment_is_refused_in_a_sentence_and_nothing_moves(bound, value):
    travel = TimeTravel(account_7(), "account-7", balance, 0)
    before = travel.summary()
    with pytest.raises(Misuse, match=f"{bound}.value "):
        getattr(travel, bound).value = value
    assert travel.summary() == before
    for far in ("0001-01-01", "9999-12-31"):
        getattr(travel, bound).value = far
        assert not travel.error


def test_the_sliders_stand_above_the_picture_and_what_was_learned_since_beside_it():
    travel = TimeTravel(account_7(), "account-7", balance, 0)
    columns = travel._panel.children[-1].children[-1]
    left, right = (side.children for side in columns.children)
    left = [widget for group in left for widget in group.children]
    assert {travel.until.row, travel.as_of.row} <= {*right[0].children}
    assert right[1] is travel._picture and travel._since in left
    assert "nothing" in travel._since.value


def position(travel):
    return travel.until.value, travel.as_of.value


def test_a_date_can_be_typed_and_stays_where_it_cannot_be_read():
    travel = TimeTravel(account_7(), "account-7", balance, 0)
    travel.until.field.value, travel.as_of.field.value = " 2026-03-22 ", "2026-03-24T15:00+01:00"
    assert (travel.state, travel.now) == (40, 110) and position(travel) == (
        "2026-03-22",
        "2026-03-23",
    )
    travel.as_of.field.value = "24 March"
    assert travel.as_of.field.value == "24 March" and travel.state == 40
    assert "&#x27;24 March&#x27; cannot be read as a time: write a date such as 2025-03-04, or" in (
        travel.as_of.message.value
    )
    for text in ("2026-03-24T15:00", "", "7", "2026-02-30", "<b>", "x" * 9_999, "\ud800"):
        travel.as_of.field.value = text
        assert "cannot be read as a time" in travel.as_of.message.value, text
        assert position(travel) == ("2026-03-22", "2026-03-23") and "<b>" not in (
            travel.as_of.message.value
        )
    travel.as_of.field.value = "2026-03-23"
    assert travel.as_of.message.value == "" and travel.as_of.message.layout.display == "none"
    travel.as_of.forward.click()
    assert travel.as_of.field.value == "2026-03-26"


def test_a_typed_time_for_which_another_stands_is_said():
    travel = TimeTravel(account_7(), "account-7", balance, 0)
    travel.as_of.field.value = "2026-03-24T12:00Z"
    assert position(travel)[1] == "2026-03-23" and (
        "2026-03-23 stands for &#x27;2026-03-24T12:00Z&#x27;: nothing came between the two"
        in travel.as_of.message.value
    )
    travel.as_of.field.value = "2026-03-24"
    assert not travel.as_of.message.value


def test_seconds_can_be_typed_in_virtual_time():
    travel = TimeTravel(in_seconds(), "a", balance, 0)
    assert travel.until.field.value == "4.0 s"
    travel.until.field.value = "0.7"
    assert travel.until.field.value == "0.5 s" and travel.state == 5
    travel.until.field.value = "1.25 s"
    assert travel.state == 12
    travel.until.field.value = "noon"
    assert "write seconds of virtual time, such as 1.5" in travel.until.message.value


def test_a_typed_time_at_which_the_answer_is_another_than_on_the_slider_is_said_to_be_outside():
    travel = TimeTravel(account_7(), "account-7", balance, 0, since="2026-03-05")
    travel.until.field.value = "2026-03-02"
    assert position(travel)[0] == travel.until.field.value == "2026-03-05"
    assert "outside this slider, which goes from 2026-03-05 to 2026-03-26" in (
        travel.until.message.value
    )
    travel.until.field.value = "2030-01-01"
    assert travel.until.value == "2026-03-26" and "outside" not in travel.until.message.value


@settings(max_examples=40, deadline=None)
@given(
    events=st.sampled_from([3, 12, 60]),
    seed=st.integers(0, 5),
    part=st.tuples(st.integers(0, 500), st.integers(1, 500)),
    minutes=st.lists(st.integers(0, 500 * 24 * 60), min_size=2, max_size=2),
)
def test_a_time_in_the_part_gives_what_the_store_says_of_it(events, seed, part, minutes):
    first = datetime(2024, 11, 1, tzinfo=UTC)
    since, days = part
    since, until = first + timedelta(days=since), first + timedelta(days=since + days)
    store = year_of(events, 0.4, seed)
    travel = TimeTravel(store, "account-1", balance, 0, since=since, until=until)
    assert not travel.error
    asked = [first + timedelta(minutes=number) for number in minutes]
    for slider, time in zip((travel.until, travel.as_of), asked, strict=True):
        slider.field.value = time.isoformat()
    for time, bound in ((asked[0], travel.until), (asked[1], travel.as_of)):
        if "outside" in bound.message.value:
            assert not since <= time <= until
    assert eval(travel.code, {"store": store, "balance": balance}) == travel.state
    if "outside" not in travel.until.message.value + travel.as_of.message.value:
        known = None if travel.as_of.now else asked[1]
        told = store.state("account-1", balance, 0, until=asked[0], as_of=known)
        assert told == travel.state


def test_a_part_of_the_time_changes_what_is_shown_and_not_what_is_folded():
    store = year_of(60)
    travel = TimeTravel(store, "account-1", balance, 0, since="2025-03-01", until="2025-05-15")
    assert travel.until.value == "2025-05-15" and travel.as_of.now
    assert travel.state == store.state("account-1", balance, 0, until="2025-05-15")
    travel.until.slider.value = 0
    assert travel.until.value == "2025-03-01"
    assert travel.state == store.state("account-1", balance, 0, until="2025-03-01") != 0
    dates = [label.text for label in travel.picture().scene.labels if label.kind == "axis"]
    assert "1 Mar 2025" in dates and "1 May" in dates and not {"Feb", "Jun"} & set(dates)


def test_what_happened_in_a_part_can_be_learned_after_it():
    travel = TimeTravel(account_7(), "account-7", balance, 0, until="2026-03-22")
    assert (travel.until.value, travel.as_of.value, travel.state) == (
        "2026-03-22",
        "2026-03-26",
        110,
    )
    travel.as_of.back.click()
    assert travel.state == 40 and "<b>deposited 70</b>" in travel._since.value


@pytest.mark.parametrize(
    "part", [{"since": "2027-01-01"}, {"until": "2020-01-01"}, {"since": 1e8, "until": 1e8 + 1}]
)
def test_a_part_without_events_shows_the_state(part):
    travel = TimeTravel(account_7(), "account-7", balance, 0, **part)
    assert travel.state == (110 if "since" in part else 0)
    for slider in (travel.until, travel.as_of):
        slider.back.click()
        slider.forward.click()
    assert not travel.error


@pytest.mark.parametrize("bound", ["since", "until"])
def test_what_is_no_time_cannot_bound_a_part(bound):
    for value in ("yesterday", "2026-13-01", [], float("nan"), True, "2026-03-01T12:00"):
        with pytest.raises(Misuse, match=f"^{bound}= "):
            TimeTravel(account_7(), "account-7", balance, 0, **{bound: value})
    for part in (("2026-03-02", "2026-03-01"), (3, 3), ("2026-03-02", "2026-03-01T23:59Z")):
        with pytest.raises(Misuse, match="since= must be before until="):
            TimeTravel(account_7(), "account-7", balance, 0, since=part[0], until=part[1])


@pytest.mark.parametrize("known", [None, "2025-06-01"])
def test_a_click_reads_the_stream_once_and_folds_it_once_for_each_of_the_two_times(known):
    store, statements, folds = year_of(74), [], []

    def counted(total, fact):
        folds.append(fact)
        return balance(total, fact)

    travel = TimeTravel(store, "account-1", counted, 0)
    if known:
        travel.as_of.value = known
    assert sum(fact.late for fact in store.read()) > 3
    folds.clear()
    store.connection.set_trace_callback(statements.append)
    travel.until.back.click()
    store.connection.set_trace_callback(None)
    assert not travel.error and len(statements) <= 6 and len(folds) <= 150


def test_a_state_that_the_fold_changes_is_shown_as_it_was_after_each_event():
    def journal(amounts, fact):
        amounts.append(fact.data.get("amount", 0))
        return amounts

    travel = TimeTravel(account_7(), "account-7", journal, [], value=len)
    travel.until.value = "2026-03-20"
    assert travel.state == [0, 100, 40, 70, 20] and travel._start == []
    assert "[0, 100]<" in travel._why.value and "[0, 100, 40, 70, 20]<" in travel._why.value


def test_each_slider_can_be_played_from_event_to_event_and_begins_again_at_the_end():
    travel = TimeTravel(account_7(), "account-7", balance, 0)
    play, seen = travel.play["until"], []
    assert travel.as_of.now
    play.playing = True
    while play.playing:
        seen.append(travel.until.value)
        play.advance(STEP)
    assert len(seen) > 3 and len(set(seen)) == len(seen) and sorted(seen) == seen
    assert travel.state == 110 and travel.as_of.now
    play.playing = play.loop = True
    for _ in range(3 * len(seen)):
        play.advance(STEP)
    assert play.playing


def test_who_moves_the_slider_stops_it_also_in_a_stream_chosen_later():
    travel = TimeTravel(two_accounts(), None, balance, 0)
    for stream in ("account-8", "account-7"):
        travel.stream.value = stream
        for keyword, play in travel.play.items():
            play.playing = True
            play.advance(0)
            slider = getattr(travel, keyword)
            slider.slider.value = 1 - slider.index
            assert not play.playing, (stream, keyword)


def test_a_slider_that_is_renewed_can_still_be_played():
    travel = TimeTravel(two_accounts(), "account-8", balance, 0)
    travel.stream.value = "account-7"
    travel.play["until"].playing = True
    before = travel.until.value
    travel.play["until"].advance(STEP)
    assert travel.until.value != before
