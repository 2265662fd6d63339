"""Tables of events: what is read is right, what cannot be read comes back, and real input agrees with pandas."""

import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from zlib import crc32

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edalab import Misuse, read_table

PERMITS = (
    Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "permit-applications.csv"
)
CASE, ACTIVITY, TIME, WHO, TASK = (
    "case:concept:name",
    "concept:name",
    "time:timestamp",
    "org:resource",
    "concept:instance",
)
COLUMNS = {"type": "what", "subject": "who", "time": "when"}


def table(*rows, columns=("what", "who", "when"), **more):
    return pandas.DataFrame(rows, columns=list(columns), **more)


def small():
    return table(
        ("Opened", "a", "2026-03-01T09:00Z", 0.0),
        ("Paid", "b", "2026-03-02T09:00Z", 5.5),
        ("Paid", "a", "2026-03-03T09:00Z", 7.0),
        columns=("what", "who", "when", "amount"),
    )


def total(amount, fact):
    return amount + fact.data["amount"]


# What a row becomes.


def test_each_subject_is_a_stream_and_the_other_columns_are_the_data():
    store = read_table(small(), **COLUMNS)
    assert store.streams() == ["a", "b"] and [(e.type, e.data) for e in store.read("a")] == [
        ("Opened", {"amount": 0.0}),
        ("Paid", {"amount": 7.0}),
    ]
    assert (
        store.state("a", total, 0, until="2026-03-02") == 0 and store.state(None, total, 0) == 12.5
    )
    assert repr(store) == "<EventStore: 3 events in 2 streams>"
    assert store.refused.empty and list(store.refused.columns) == [
        "what",
        "who",
        "when",
        "amount",
        "reason",
    ]


def test_cells_become_what_json_can_keep_and_empty_ones_are_left_out():
    cells = {
        "text": "é",
        "whole": 3,
        "exact": Decimal("1.10"),
        "moment": pandas.Timestamp("2026-03-01T09:00+01:00"),
        "wait": timedelta(minutes=1),
        "month": pandas.Period("2026-03"),
        "parts": [1, None, {"a": "b"}],
        "nothing": None,
        "never": pandas.NaT,
        "missing": pandas.NA,
        "blank": " ",
    }
    columns = {name: pandas.Series([value], dtype=object) for name, value in cells.items()}
    frame = table(("Seen", "a", "2026-03-01T09:00Z")).assign(**columns)
    assert read_table(frame, **COLUMNS).read("a")[0].data == {
        "text": "é",
        "whole": 3,
        "exact": "1.10",
        "moment": "2026-03-01T09:00:00+01:00",
        "wait": 60.0,
        "month": "2026-03",
        "parts": [1, None, {"a": "b"}],
    }


@pytest.mark.parametrize("dtype", ["int8", "Int64", "float32", "boolean", "category", "string"])
def test_columns_of_every_kind_become_plain_values(dtype):
    values = ["x", "y"] if dtype in ("category", "string") else [1, 0]
    column = pandas.Series(values, dtype=dtype)
    frame = table(*[("S", "a", "2026-03-01")] * 2).assign(value=column)
    found = [fact.data["value"] for fact in read_table(frame, **COLUMNS).read("a")]
    assert found == values and all(type(value) in (int, float, bool, str) for value in found)


# The two times and the order.


def test_unsorted_rows_are_sorted_by_when_they_were_recorded_and_that_is_said():
    rows = [
        ("2026-03-01", "2026-03-09"),
        ("2026-03-03", "2026-03-02"),
        ("2026-03-02", "2026-03-09"),
    ]
    frame = table(*[("S", "a", *row) for row in rows], columns=("what", "who", "when", "known"))
    store = read_table(frame, **COLUMNS, recorded="known")
    assert [fact.happened.day for fact in store.read("a")] == [3, 1, 2]
    assert store.notes == [
        "sorted by 'known': 1 row stood below later ones",
        "1 row recorded before it happened",
    ]
    assert "sorted by 'when': 1 row stood below later ones" in repr(read_table(frame, **COLUMNS))


def test_several_utc_offsets_are_one_time_line():
    times = [
        "2026-03-29 01:30:00+01:00",
        "2026-03-29 03:30+02:00",
        "2026-03-29T00:45Z",
        "2026-03-29 00:50:00 UTC",
        "20260329T0055+00",
        "2026-03-29 03:10:00 +0200",
        date(2026, 3, 29),
        datetime(2026, 3, 29, 1, tzinfo=UTC),
    ]
    store = read_table(table(*[("S", "a", time) for time in times]), **COLUMNS)
    assert " ".join(fact.happened.isoformat()[11:16] for fact in store.read("a")) == (
        "00:00 00:30 00:45 00:50 00:55 01:00 01:10 01:30"
    )


# What cannot be read.


def test_rows_that_cannot_be_read_come_back_as_they_were_with_the_reason():
    circle: list = []
    circle.append(circle)
    rows = [
        ("S", "a", "2026-03-01T09:00Z", 1, 1),
        (None, "a", "2026-03-01T09:00Z", 2, 1),
        ("S", " ", "2026-03-01T09:00Z", 3, 1),
        ("S", "a", None, 4, 1),
        ("S", "a", "yesterday", 5, 1),
        ("S", "a", "2026-03-01 09:00", 6, 1),
        ("S", "a", "2026-02-30T09:00Z", 7, 1),
        ("S", "a", "0001-01-01T09:00+14:00", 8, 1),
        ("S", "a", "2026-03-01T09:00Z", 9, 1.5),
        ("S", "a", "2026-03-01T09:00Z", circle, 1),
        *[("S", "b", "2026-03-01T09:00Z", 10, version) for version in ("2", None, 3.0)],
    ]
    labels = list("stuvwxyzabcde")
    frame = table(*rows, columns=("what", "who", "when", "n", "version"), index=labels)
    store = read_table(frame, **COLUMNS, version="version")
    assert [fact.data for fact in store.read("a")] == [{"n": 1}]
    assert [fact.schema for fact in store.read("b")] == [2, 1, 3]
    iso = "is not a time in ISO 8601, such as 2026-03-03T12:00+01:00"
    assert store.refused["reason"].to_dict() == {
        "t": "what is empty",
        "u": "who is empty",
        "v": "when is empty",
        "w": f"when 'yesterday' {iso}",
        "x": "when '2026-03-01 09:00' has no time zone; add its offset, such as +01:00",
        "y": f"when '2026-02-30T09:00Z' {iso}",
        "z": f"when '0001-01-01T09:00+14:00' {iso}",
        "a": "version 1.5 is not a version, which is a whole number from 1",
        "b": store.refused["reason"]["b"],
    }
    assert store.refused["reason"]["b"].startswith("JSON cannot hold its data: ")
    pandas.testing.assert_frame_equal(store.refused.drop(columns="reason"), frame.iloc[1:10])
    assert "9 rows refused, see .refused" in repr(store)


def test_an_id_is_stored_once_and_its_second_row_names_the_first():
    rows = [
        ("S", "a", "2026-03-02", "e1"),
        ("S", "a", "2026-03-01", "e1"),
        ("S", "b", "2026-03-03", "e2"),
        ("S", None, "2026-03-01", "e3"),
        ("S", "b", "2026-03-04", "e3"),
        ("S", "b", "2026-03-04", None),
    ]
    store = read_table(
        table(*rows, columns=("what", "who", "when", "id"), index=range(100, 106)),
        **COLUMNS,
        id="id",
    )
    assert [e.id for e in store.read()] == ["e1", "e2", "e3"] and store.read("a")[
        0
    ].happened.day == 1
    assert store.refused["reason"].to_dict() == {
        100: "id 'e1' is that of row 101 already",
        103: "who is empty",
        105: "id is empty",
    }


@given(
    st.lists(
        st.tuples(
            *[
                st.sampled_from(cells)
                for cells in (
                    ["S", "T", None, ""],
                    ["a", "b", 3, None],
                    ["2026-03-01", "2026-03-02T09:00+02:00", "2026-03-02T09:00", "soon", None, 5],
                    ["2026-03-05", "2026-03-04T09:00Z", None],
                    ["e1", "e2", "e3", 4, None],
                )
            ]
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_row_is_either_stored_or_comes_back(rows):
    frame = table(*rows, columns=("what", "who", "when", "known", "id")).assign(
        row=range(len(rows))
    )
    try:
        store = read_table(frame, **COLUMNS, recorded="known", id="id")
    except Misuse as told:
        assert any(
            word in str(told)
            for word in ("none of the table's", "no time zone", "are numbers", "not in ISO 8601")
        )
        return
    stored, refused = [fact.data["row"] for fact in store.read()], store.refused["row"].tolist()
    assert sorted(stored + refused) == list(range(len(rows)))
    assert store.refused["reason"].map(bool).all()
    moments = [fact.recorded for fact in store.read()]
    assert moments == sorted(moments)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: {"frame": "events.csv"}, "takes a DataFrame, such as pandas.read_csv"),
        (
            lambda f: {"time": "wen"},
            "no column 'wen' in the table; columns in the table: what, who",
        ),
        (lambda f: {"subject": ["who"]}, "no column ['who'] in the table"),
        (lambda f: {"frame": f.iloc[:0]}, "the table has no rows (columns: what, who, when"),
        (
            lambda f: {"frame": pandas.concat([f, f[["amount"]]], axis=1)},
            "several columns with the name 'amount'; rename them",
        ),
        (
            lambda f: {"frame": f.assign(who=None)},
            "none of the table's 3 rows can be read as an event: who is empty (3 rows)",
        ),
    ],
)
def test_a_table_that_cannot_be_read_at_all_is_told_in_a_sentence(change, says):
    with pytest.raises(Misuse) as told:
        read_table(**{"frame": small(), **COLUMNS, **change(small())})
    assert says in str(told.value)


# What an error says to do, done as it is written.


def at(*when, dtype=object):
    return table(*[("S", "a", None)] * len(when)).assign(when=pandas.Series(when, dtype=dtype))


def days(store):
    return [fact.happened.strftime("%d.%m.%y %H:%M") for fact in store.read()]


NAIVE = ["2026-03-01 09:00", "2026-07-03 09:00", "2026-03-29 02:30"]  # the last one is skipped
READ = ["01.03.26 08:00", "03.07.26 07:00"]
NO_ZONE, NOT_ISO = "have no time zone, and 9 o'clock", "are not in ISO 8601"


@pytest.mark.parametrize(
    ("times", "words", "read"),
    [
        (NAIVE, NO_ZONE, READ),
        (pandas.to_datetime(NAIVE), NO_ZONE, READ),
        (pandas.Series(NAIVE, dtype="category"), NO_ZONE, READ),
        (["13/4/2026 9:00", "3/4/2026 9:00"], NOT_ISO, ["03.04.26 07:00", "13.04.26 07:00"]),
        (
            [1772528400, 1772532000],
            "are numbers without a unit; if they count s since 1970",
            ["03.03.26 09:00", "03.03.26 10:00"],
        ),
        (
            [1772528400000.0, None],
            "are numbers without a unit; if they count ms since 1970",
            ["03.03.26 09:00"],
        ),
    ],
)
def test_what_an_error_says_to_do_about_a_column_of_times_mends_it(times, words, read):
    frame = at(*times, dtype=getattr(times, "dtype", None))
    with pytest.raises(Misuse, match=f"the times in 'when', such as .* in row 0, {words}") as told:
        read_table(frame, **COLUMNS)
    exec("frame" + str(told.value).partition(": frame")[2], {"frame": frame, "pandas": pandas})
    store = read_table(frame, **COLUMNS)
    assert days(store) == read and len(store.refused) == len(times) - len(read)


# Numbers that are not what was written.


LONG = """what,who,when,id
S,1234567890123456789,2026-01-01,1
S,,2026-01-02,
S,12,2026-01-04,007
"""


def test_ids_that_were_read_as_numbers_are_said():
    roles = COLUMNS | {"id": "id"}
    store = read_table(pandas.read_csv(StringIO(LONG)), **roles)
    assert [fact.id for fact in store.read()] == ["7"]  # who of the other row was rounded
    assert store.notes[-2:] == [
        f"{name!r} was read as numbers, where 007 is 7 and long ones are rounded: "
        f"dtype={{{name!r}: str}} keeps them"
        for name in ("who", "id")
    ]
    hint = {"who": str, "id": str}
    store = read_table(pandas.read_csv(StringIO(LONG), dtype=hint), **roles)
    assert [fact.id for fact in store.read()] == ["1", "007"]
    assert store.notes == ["1 row refused, see .refused"]


@pytest.mark.parametrize("parsed", [False, True])
def test_rows_less_than_a_microsecond_apart_keep_their_order(parsed):
    times = [f"2026-03-01T09:00:00.00000{tail}Z" for tail in ("1800", "1000", "12", "0999", "0999")]
    frame = at(*times).assign(n=[4, 2, 3, 0, 1])
    if parsed:
        frame["when"] = pandas.to_datetime(frame["when"], format="ISO8601")
    store = read_table(frame, **COLUMNS)
    assert [fact.data["n"] for fact in store.read()] == [0, 1, 2, 3, 4]
    assert [fact.happened.microsecond for fact in store.read()] == [0, 0, 1, 1, 1]


# Other formats: whatever pandas reads.


def through_csv(frame):
    return pandas.read_csv(StringIO(frame.to_csv(index=False)))


def through_json_lines(frame):
    return pandas.read_json(
        StringIO(frame.to_json(orient="records", lines=True, date_format="iso", date_unit="us")),
        lines=True,
    )


def through_sql(frame):
    connection = sqlite3.connect(":memory:")
    frame.to_sql("events", connection, index=False)
    return pandas.read_sql("select * from events", connection)


@pytest.mark.parametrize("way", [through_csv, through_json_lines, through_sql])
@pytest.mark.parametrize("parsed", [False, True])
def test_a_table_that_was_kept_elsewhere_is_the_same_store(way, parsed):
    frame = small().assign(note=["a 'quoted' text", None, "été, encore"])
    if parsed:
        frame["when"] = pandas.to_datetime(frame["when"])
    here, there = [read_table(kept, **COLUMNS).read() for kept in (frame, way(frame))]
    assert [(e.stream, e.type, e.happened, e.data) for e in there] == [
        (e.stream, e.type, e.happened, e.data) for e in here
    ]


# Real input: 8,577 events of 1,434 permit applications, and plain pandas beside.


@pytest.fixture(scope="module")
def permits():
    if not PERMITS.exists():
        pytest.skip("the permit applications (../shared/data/permit-applications.csv) are not here")
    frame = pandas.read_csv(PERMITS)
    # When the office's computer was told: some days later, for each task another number of hours.
    late = pandas.to_timedelta([crc32(task.encode()) % 200 for task in frame[TASK]], unit="h")
    return frame.assign(
        moment=pandas.to_datetime(frame[TIME], utc=True, format="ISO8601"),
        told=lambda f: f["moment"] + late,
    )


@pytest.fixture(scope="module")
def office(permits):
    return read_table(
        permits.drop(columns="moment"),
        type=ACTIVITY,
        subject=CASE,
        time=TIME,
        recorded="told",
        id=TASK,
    )


@st.composite
def moments(draw):
    """Any moment of the two years; or just when something happened, or was told, or a microsecond beside."""
    kind, n = draw(st.sampled_from(["any", "moment", "told"])), draw(st.integers(0, 8576))
    beside = timedelta(microseconds=draw(st.sampled_from([-1, 0, 1])))
    return kind, n, beside


def chosen(permits, drawn):
    kind, n, beside = drawn
    if kind == "any":
        return datetime(2010, 9, 25, tzinfo=UTC) + timedelta(minutes=83 * n)
    return permits[kind].iloc[n].to_pydatetime(warn=False) + beside


def known(permits, until, as_of):
    """The rows that count, in the order they happened: what the store is asked, in pandas."""
    rows = permits[(permits["moment"] <= until) & (permits["told"] <= as_of)]
    return rows.sort_values(["moment", "told"], kind="stable")


def journal(done, fact):
    return [*done, [fact.type, fact.data[WHO]]]


real = settings(max_examples=150)


@given(case=st.integers(0, 1433), until=moments(), as_of=moments())
@real
def test_the_state_of_any_case_at_any_time_is_what_pandas_finds(
    permits, office, case, until, as_of
):
    until, as_of = chosen(permits, until), chosen(permits, as_of)
    name = permits[CASE].unique()[case]
    rows = known(permits[permits[CASE] == name], until, as_of)
    assert (
        office.state(name, journal, [], until=until, as_of=as_of)
        == rows[[ACTIVITY, WHO]].values.tolist()
    )
    everything = known(permits[permits[CASE] == name], until, datetime.max.replace(tzinfo=UTC))
    assert (
        office.state(name, journal, [], until=until) == everything[[ACTIVITY, WHO]].values.tolist()
    )


@given(until=moments(), as_of=moments())
@settings(real, max_examples=12)
def test_a_read_model_over_all_cases_at_any_time_is_what_pandas_finds(
    permits, office, until, as_of
):
    until, as_of = chosen(permits, until), chosen(permits, as_of)

    def last(state, fact):
        state[fact.stream] = (fact.type, fact.data[WHO])
        return state

    rows = known(permits, until, as_of).groupby(CASE).last()
    assert office.state(None, last, {}, until=until, as_of=as_of) == dict(
        zip(rows.index, zip(rows[ACTIVITY], rows[WHO], strict=True), strict=True)
    )


def test_nothing_of_the_real_table_is_lost(permits, office):
    assert len(office) == 8577 and len(office.streams()) == 1434 and office.refused.empty
    back = pandas.DataFrame(
        [{**e.data, TASK: e.id, CASE: e.stream, ACTIVITY: e.type} for e in office.read()]
    ).set_index(TASK)
    assert list(back.index) == permits.sort_values("told", kind="stable")[TASK].tolist()
    assert set(back.columns) == set(permits.columns) - {TASK, TIME, "told", "moment"}
    before = permits.set_index(TASK).loc[back.index, back.columns]
    assert back.fillna("").values.tolist() == before.fillna("").values.tolist()


def test_a_number_that_pandas_rounded_names_no_stream():
    longs = [9007199254740993, None, 9007199254740995]
    frame = pandas.DataFrame({"type": "Paid", "who": longs, "at": "2026-01-01T00:00Z"})
    with pytest.raises(Misuse, match="who is so long that pandas rounded it .2 rows"):
        read_table(frame, type="type", subject="who", time="at")
