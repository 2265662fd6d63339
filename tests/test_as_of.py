"""The picture of what was and what was believed: true to the store, and legible however many events there are."""

import itertools

import pytest
from accounts import AccountOpened, MoneyDeposited, MoneyWithdrawn, account_7, balance, year_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import flaws

from edalab import Event, EventStore, Misuse
from edalab.view import as_of
from edalab.view.axes import _thinned
from edalab.view.labels import squared_distance
from edalab.view.state_events import event_text


class OrderPlaced(Event): ...


def texts(picture, kind):
    return [label.text for label in picture.scene.labels if label.kind == kind]


def marks(picture, kind):
    return [(mark.x, mark.y) for mark in picture.scene.marks if mark.kind == kind]


def test_the_digest_says_what_is_shown():
    picture = as_of(account_7(), "account-7", balance, 0, cursor="2026-03-22")
    assert repr(picture).startswith(
        "account-7, balance; on 22 March was 110, believed 40: 5 events; 1 recorded late; 110 at the end; "
        "believed 60 where it was 130 from 12 March to 20 March; "
    )
    assert repr(picture) == repr(as_of(account_7(), "account-7", balance, 0, cursor="2026-03-22"))
    assert repr(picture) != repr(as_of(account_7(), "account-7", balance, 0, cursor="2026-03-21"))


def test_a_late_event_is_marked_where_it_happened_and_where_it_was_recorded_and_said_in_words():
    picture = as_of(account_7(), "account-7", balance, 0)
    plane, (late,), (learned,) = (
        picture.scene.axis,
        marks(picture, "late"),
        marks(picture, "learned"),
    )
    assert late[0] < learned[0] and late[1] == plane.y(130) and learned[1] == plane.y(110)
    assert texts(picture, "late") == ["deposited 70 on 12 March, recorded on 26 March"]
    assert {"deposited 100", "withdrawn 40", "withdrawn 20"} <= set(texts(picture, "fact"))
    shaded = [box.tip for box in picture.scene.spans if box.kind == "wrong"]
    assert shaded == [
        "12 March to 20 March: was 130, believed 60",
        "20 March to 26 March: was 110, believed 40",
    ]


@pytest.mark.parametrize(
    ("since", "until", "signs"),
    [
        ("2026-03-05", "2026-03-20", "filled: when it happened"),
        ("2026-03-20", "2026-03-30", "open: when it was recorded"),
        (None, None, "filled: when it happened, open: when it was recorded"),
    ],
)
def test_the_legend_explains_the_signs_that_stand_in_the_part_that_is_shown(since, until, signs):
    picture = as_of(account_7(), "account-7", balance, 0, since=since, until=until)
    assert [line for line in texts(picture, "caption") if "when it " in line][1:] == [
        f"shaded: what a report in between got wrong · {signs}"
    ]
    assert bool(marks(picture, "late")) == ("filled" in signs)
    assert bool(marks(picture, "learned")) == ("open" in signs)


def test_the_values_and_the_names_of_the_lines_stand_at_the_lines():
    picture = as_of(account_7(), "account-7", balance, 0)
    was = [label for label in picture.scene.labels if label.kind == "was"]
    assert [label.text for label in was][0] == "110 as it was"
    assert {label.text for label in was} == {"110 as it was", "130", "100", "60", "0"}
    assert texts(picture, "believed") == ["60 as believed", "40 as believed"]
    for label in picture.scene.labels:
        if label.kind in ("was", "believed"):
            y = picture.scene.axis.y(int(label.text.split()[0]))
            assert 10 <= abs(label.y - y) <= 17, label
    known = as_of(account_7(), "account-7", balance, 0, as_of="2026-03-24", cursor="2026-03-10")
    assert texts(known, "was")[0] == "40 as known then" and not texts(known, "believed")


def test_a_part_begins_with_the_state_that_all_earlier_events_led_to():
    store = account_7()
    part = as_of(store, "account-7", balance, 0, since="2026-03-10", until="2026-03-16")
    (line,) = [trace for trace in part.scene.polylines if trace.kind == "was" and trace.tip]
    assert line.points[:2] == (part.scene.axis.left, part.scene.axis.y(60))
    assert "1 event; 1 recorded late; 130 at the end" in repr(part)


@pytest.mark.parametrize(
    ("part", "at_end"),
    [
        ({"since": "2026-03-09", "until": "2026-03-11"}, 60),
        ({"since": "2030-01-01"}, 110),
        ({"until": "2020-01-01"}, 0),
    ],
)
def test_a_part_without_events_shows_the_state_at_its_end(part, at_end):
    picture = as_of(account_7(), "account-7", balance, 0, **part)
    assert f"account-7, balance: 0 events; {at_end} at the end" in repr(picture)
    assert not flaws(picture.scene)


def test_a_part_has_the_scale_of_what_it_shows():
    store = account_7()
    part = as_of(store, "account-7", balance, 0, since="2026-03-01", until="2026-03-31")
    store.append("account-7", [MoneyDeposited(amount=90_000)], recorded="2026-06-01")
    later = as_of(store, "account-7", balance, 0, since="2026-03-01", until="2026-03-31")
    assert (
        later.scene.axis.ticks
        == part.scene.axis.ticks
        != as_of(store, "account-7", balance, 0).scene.axis.ticks
    )


def test_the_cursor_says_what_was_and_what_was_believed():
    picture = as_of(account_7(), "account-7", balance, 0, cursor="2026-03-22")
    assert (
        texts(picture, "at cursor") == ["was 110, believed 40"]
        and picture.scene.cursor[2].text == "22 March"
    )
    assert texts(as_of(account_7(), "account-7", balance, 0, cursor="2026-03-27"), "at cursor") == [
        "was 110"
    ]


def test_a_date_under_the_cursor_stays_a_date_where_nothing_happened_on_that_day():
    store = EventStore(":memory:")
    for moment in ("2026-03-01T09:30Z", "2026-03-20T10:00Z"):
        store.append("a", [MoneyDeposited(amount=1)], recorded=moment)
    picture = as_of(store, "a", balance, 0, cursor="2026-03-10")
    assert picture.scene.cursor[2].text == "10 March" and "; on 10 March was 1:" in repr(picture)


def test_a_day_of_another_year_than_all_that_happened_is_said_with_its_year():
    store = account_7()
    assert (
        "account-7, balance; on 22 Mar 2030 was 110"
        in as_of(store, "account-7", balance, 0, cursor="2030-03-22").scene.shows
    )
    assert (
        "as known on 22 Mar 2020: 0 events"
        in as_of(store, "account-7", balance, 0, as_of="2020-03-22").scene.shows
    )
    assert (
        "as known on 31 March: 5 events"
        in as_of(store, "account-7", balance, 0, as_of="2026-03-31").scene.shows
    )


def test_the_lines_pass_the_values_of_the_store():
    store = account_7()
    scene = as_of(store, "account-7", balance, 0).scene
    for kind in ("was", "believed"):
        corners = next(
            list(zip(t.points[::2], t.points[1::2], strict=True))
            for t in scene.polylines
            if t.kind == kind and len(t.points) > 4
        )
        for day in range(1, 27):
            asked = f"2026-03-{day:02}T12:00Z"
            value = store.state(
                "account-7", balance, 0, until=asked, as_of=asked if kind == "believed" else None
            )
            x = scene.axis.x(
                store.read("account-7")[0].happened_at + round((day - 0.5) * 86_400_000_000)
            )
            levels = {
                y for (x1, y), (x2, y2) in itertools.pairwise(corners) if x1 <= x <= x2 and y == y2
            }
            assert levels == {scene.axis.y(value)}, (kind, asked)


def test_as_known_at_an_earlier_moment_what_came_later_is_not_there_and_the_picture_keeps_its_measures():
    store = account_7()
    now, then = (
        as_of(store, "account-7", balance, 0, as_of=known, cursor="2026-03-22")
        for known in (None, "2026-03-24")
    )
    assert not marks(then, "late") and texts(then, "at cursor") == ["40, as known on 24 March"]
    assert [box.tip for box in then.scene.lanes] == ["not known yet"] and now.scene.lanes == []
    assert [now.scene.axis.y(value) for value in (0, 130)] == [
        then.scene.axis.y(value) for value in (0, 130)
    ]
    assert ", as known on 24 March; on 22 March 40: 4 events; 40 at the end" in repr(then)
    beyond = as_of(store, "account-7", balance, 0, as_of="2026-03-10", cursor="2026-03-22")
    assert texts(beyond, "at cursor") == ["60, as known on 10 March"]


def test_as_known_at_a_moment_nothing_is_said_to_have_been_so():
    store = account_7()
    store.append(
        "account-7", [MoneyDeposited(amount=5)], happened="2026-03-14", recorded="2026-04-02"
    )
    known = as_of(store, "account-7", balance, 0, as_of="2026-03-28", cursor="2026-03-15")
    said = " ".join(
        [
            repr(known),
            *texts(known, "title"),
            *texts(known, "at cursor"),
            *(box.tip for box in known.scene.spans),
        ]
    )
    assert (
        "130, as known on 28 March" in said
        and "believed 60 at first, 130 later" in said
        and "was" not in said.split()
    )


def test_the_dashed_line_is_explained_where_there_is_one():
    def explained(**bounds):
        return any(
            "believed" in words
            for words in texts(as_of(account_7(), "account-7", balance, 0, **bounds), "caption")
        )

    assert explained() and explained(as_of="2026-03-28")
    assert not explained(as_of="2026-03-24") and not explained(until="2026-03-11")


@pytest.mark.parametrize("width", [400, 500, 624, 900])
def test_going_through_time_the_picture_keeps_its_height(width):
    store = account_7()
    heights = {
        as_of(store, "account-7", balance, 0, as_of=known, cursor=cursor, width=width).scene.height
        for known in (None, "2026-03-02", "2026-03-24", "2026-03-26")
        for cursor in ("2026-03-01", "2026-03-22", "2026-03-26")
    }
    assert len(heights) == 1


def test_a_correction_of_what_happened_at_the_same_moment_is_named_by_what_it_corrected():
    store = EventStore(":memory:")
    store.append("a", [MoneyDeposited(amount=100)], recorded="2025-01-01")
    store.append("a", [MoneyDeposited(amount=500)], recorded="2025-04-14")
    store.append("a", [MoneyWithdrawn(amount=450)], happened="2025-04-14", recorded="2025-04-24")
    store.append("a", [MoneyWithdrawn(amount=1)], happened="2025-05-01", recorded="2025-07-01")
    picture = as_of(store, "a", balance, 0)
    assert texts(picture, "late")[0].startswith(
        "withdrawn 450 on 14 April"
    ) and "deposited 500" in texts(picture, "fact")


@pytest.mark.parametrize("seed", range(3))
def test_words_stand_nearer_to_their_own_mark_than_to_another_and_late_ones_over_no_line(seed):
    picture = as_of(year_of(60, 0.1, seed), "account-1", balance, 0)
    marked = {(mark.x, mark.y) for mark in picture.scene.marks}
    for label in (label for label in picture.scene.labels if label.kind in ("fact", "late")):
        x = label.x + (-8 if label.anchor == "start" else 8)
        own = [point for point in marked if point[0] == x]
        assert own, label
        if label.kind == "fact":
            assert min(squared_distance(point, label.extent()) for point in own) == min(
                squared_distance(point, label.extent()) for point in marked
            )
    late = [label.extent() for label in picture.scene.labels if label.kind == "late"]
    lines = [
        list(zip(t.points[::2], t.points[1::2], strict=True))
        for t in picture.scene.polylines
        if t.tip
    ]
    pieces = [
        (min(a, c), min(b, d), max(a, c), max(b, d))
        for line in lines
        for (a, b), (c, d) in itertools.pairwise(line)
    ]
    assert not [
        (box, piece)
        for box in late
        for piece in pieces
        if box[0] <= piece[2] and piece[0] <= box[2] and box[1] <= piece[3] and piece[1] <= box[3]
    ]


@pytest.mark.parametrize("width", [400, 500, 624, 900])
@pytest.mark.parametrize(
    ("events", "late"),
    [(1, 0), (6, 0.5), (60, 0.05), (60, 0.6), (300, 0.05), (1_000, 0.03), (1_000, 1)],
)
def test_words_and_marks_stay_in_the_picture_and_apart(events, late, width):
    for seed in range(3):
        store = year_of(events, late, seed)
        picture = as_of(store, "account-1", balance, 0, cursor="2025-06-01", width=width)
        assert not flaws(picture.scene), seed
        assert len(texts(picture, "late")) <= 6 and len(texts(picture, "fact")) <= 12
    assert picture.png().startswith(b"\x89PNG") and len(picture.svg()) < 150_000


def test_of_many_events_it_says_how_many_are_not_marked():
    said = " ".join(texts(as_of(year_of(1_000, 0.1), "account-1", balance, 0), "caption"))
    assert "980 events not marked" in said
    part = as_of(year_of(60), "account-1", balance, 0, since="2025-03-01", until="2025-03-31")
    assert "not marked" not in " ".join(texts(part, "caption")) and not flaws(part.scene)


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(-3, 9), st.integers(-9, 9)),
        min_size=1,
        max_size=12,
    ),
    st.floats(0.001, 1e9),
)
def test_any_store_gives_a_picture_without_flaws(told, unit):
    store, recorded = EventStore(":memory:"), 0
    for wait, late, amount in told:
        recorded += wait
        moments = {
            "recorded": min(1e9, recorded * unit),
            "happened": min(1e9, max(-1e9, (recorded - late) * unit)),
        }
        store.append("a", [MoneyDeposited(amount=amount)], **moments)
    picture = as_of(store, "a", balance, 0, cursor=min(1e9, recorded * unit / 2))
    assert not flaws(picture.scene)


def test_of_other_states_a_value_is_drawn():
    def counted(state, fact):
        return {**state, fact.type: state.get(fact.type, 0) + 1}

    picture = as_of(
        account_7(), "account-7", counted, {}, value=lambda state: state.get("MoneyWithdrawn", 0)
    )
    assert (
        next(trace for trace in picture.scene.polylines if trace.kind == "was").text.endswith(" 2")
        and "2 at the end" in picture.scene.shows
    )
    with pytest.raises(
        Misuse,
        match=r"a state of counted is \{\}, and the line needs a number; say what",
    ):
        as_of(account_7(), "account-7", counted, {})
    with pytest.raises(
        Misuse,
        match=r"value= raised KeyError .* for the state \{\}; it is asked about the state before the first",
    ):
        as_of(account_7(), "account-7", counted, {}, value=lambda state: state["MoneyWithdrawn"])
    with pytest.raises(Misuse, match=r"value= returned \[\]"):
        as_of(account_7(), "account-7", counted, {}, value=lambda state: [])


def test_before_there_is_a_state_there_is_no_line():
    store = account_7()
    picture = as_of(store, "account-7", lambda state, fact: balance(0, fact) > 0)
    first = next(trace for trace in picture.scene.polylines if trace.kind == "was")
    assert first.points[0] == picture.scene.axis.x(store.read("account-7")[0].happened_at)


def test_all_streams_are_one_state():
    store = account_7()
    store.append(
        "account-8", [AccountOpened(owner="Ada"), MoneyDeposited(amount=5)], recorded="2026-03-27"
    )
    assert repr(as_of(store, None, balance, 0)).startswith(
        "all streams, balance: 7 events; 1 recorded late; 115 at the end"
    )


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(Misuse, match="no stream 'account-9'; streams: account-7"):
        as_of(account_7(), "account-9", balance, 0)
    with pytest.raises(Misuse, match="has no events yet"):
        as_of(EventStore(":memory:"), None, balance, 0)
    with pytest.raises(Misuse, match="since= must be before until="):
        as_of(account_7(), "account-7", balance, 0, since="2026-03-20", until="2026-03-10")
    with pytest.raises(Misuse, match="since= takes a datetime with a time zone, a date, ISO text"):
        as_of(account_7(), "account-7", balance, 0, since="in spring")


@pytest.mark.parametrize(
    ("event", "step", "said"),
    [
        (MoneyDeposited(amount=70), 70, "deposited 70"),
        (MoneyDeposited(amount=7_000), None, "deposited 7,000"),
        (MoneyDeposited(amount=70), 1, "deposited 70"),
        (MoneyDeposited(amount=70), 0, "money deposited"),
        (MoneyDeposited(amount=0), 1, "money deposited"),
        (MoneyDeposited(amount=0), None, "money deposited"),
        (MoneyWithdrawn(amount=40), -40, "withdrawn 40"),
        (AccountOpened(owner="Noor"), 0, "account opened"),
        (OrderPlaced(), None, "order placed"),
    ],
)
def test_an_event_says_itself_in_a_few_words(event, step, said):
    store = EventStore(":memory:")
    store.append("a", [event], recorded=0)
    assert event_text(store.read("a")[0], step) == said


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), min_size=2, max_size=60))
def test_a_thinned_line_covers_the_same_pixels(points):
    points.sort(key=lambda point: point[0])
    steps = [
        corner
        for (x1, y1), (x2, y2) in itertools.pairwise(points)
        for corner in ((x1, y1), (x2, y1), (x2, y2))
    ]

    def covered(corners):
        pairs = list(itertools.pairwise(corners))
        return {
            (x, y)
            for (a, b), (c, d) in pairs
            for x in range(a, c + 1)
            for y in range(min(b, d), max(b, d) + 1)
        }

    assert covered(_thinned(steps)) == covered(steps) or len(set(steps)) == 1
    assert len(_thinned(steps)) <= 4 * len({x for x, _ in steps})


def test_a_cursor_beyond_the_part_is_said_to_be_elsewhere_unless_nothing_happens_in_between():
    store = account_7()
    part = {"since": "2026-03-01", "until": "2026-03-15"}
    later = as_of(store, "account-7", balance, 0, cursor="2026-03-25", **part)
    assert later.scene.cursor is None and not texts(later, "at cursor")
    assert "25 March: not in this part" in [label.text for label in later.scene.labels]
    inside = as_of(store, "account-7", balance, 0, cursor="2026-03-14", **part)
    assert inside.scene.cursor is not None
