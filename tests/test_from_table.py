"""Tables of events: what is read is right, what cannot be read comes back, and real input agrees with pandas."""

import sqlite3
import uuid
import warnings
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from zlib import crc32

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edalab import Event, Misuse, read_table

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


def test_a_class_of_the_name_gives_typed_events_of_the_version_that_a_column_says():
    class TableDeposit(Event, version=2, upcasts={1: lambda data: {**data, "currency": "EUR"}}):
        amount: int
        currency: str

    rows = [
        ("TableDeposit", "a", "2026-03-01", 5.0, None, 1),
        ("TableDeposit", "a", "2026-03-02", 6.0, "CHF", 2),
    ]
    frame = table(*rows, columns=("what", "who", "when", "amount", "currency", "schema"))
    store = read_table(frame, **COLUMNS, version="schema")
    assert [e.event for e in store.read("a")] == [
        TableDeposit(amount=5, currency="EUR"),
        TableDeposit(amount=6, currency="CHF"),
    ]


def test_cells_become_what_json_can_keep_and_empty_ones_are_left_out():
    cells = {
        "text": "é",
        "whole": 3,
        "real": 0.5,
        "endless": float("inf"),
        "yes": True,
        "day": date(2026, 3, 1),
        "exact": Decimal("1.10"),
        "moment": pandas.Timestamp("2026-03-01T09:00+01:00"),
        "local": datetime(2026, 3, 1, 9),
        "wait": timedelta(minutes=1),
        "month": pandas.Period("2026-03"),
        "key": uuid.UUID(int=7),
        "raw": b"\xff",
        "parts": [1, None, {"a": float("nan")}],
        "nothing": None,
        "none": float("nan"),
        "never": pandas.NaT,
        "missing": pandas.NA,
        "blank": " ",
    }
    columns = {name: pandas.Series([value], dtype=object) for name, value in cells.items()}
    frame = table(("Seen", "a", "2026-03-01T09:00Z")).assign(**columns)
    assert read_table(frame, **COLUMNS).read("a")[0].data == {
        "text": "é",
        "whole": 3,
        "real": 0.5,
        "endless": "inf",
        "yes": True,
        "day": "2026-03-01",
        "exact": "1.10",
        "moment": "2026-03-01T09:00:00+01:00",
        "local": "2026-03-01T09:00:00",
        "wait": 60.0,
        "month": "2026-03",
        "key": "00000000-0000-0000-0000-000000000007",
        "raw": "/w==",
        "parts": [1, None, {"a": None}],
    }


@pytest.mark.parametrize(
    "dtype",
    [
        "int64",
        "Int64",
        "int8",
        "float32",
        "Float64",
        "bool",
        "boolean",
        "category",
        "string",
        "object",
    ],
)
def test_columns_of_every_kind_become_plain_values(dtype):
    values = (
        [True, False]
        if dtype in ("bool", "boolean")
        else ["x", "y"]
        if dtype in ("category", "string", "object")
        else [1, 2]
    )
    frame = table(("S", "a", "2026-03-01"), ("S", "a", "2026-03-02")).assign(
        value=pandas.Series(values, dtype=dtype)
    )
    found = [e.data["value"] for e in read_table(frame, **COLUMNS).read("a")]
    assert found == values and all(type(value) in (int, float, bool, str) for value in found)


def test_subjects_that_are_numbers_are_written_without_a_point():
    frame = table(("S", 7, "2026-03-01"), ("S", None, "2026-03-01"), ("S", 12, "2026-03-01"))
    store = read_table(frame, **COLUMNS)  # the empty cell makes floats of the column
    assert (
        frame["who"].dtype == float and store.streams() == ["7", "12"] and len(store.refused) == 1
    )


# The two times and the order.


def test_unsorted_rows_are_sorted_by_when_they_were_recorded_and_that_is_said():
    rows = [
        ("2026-03-01", "2026-03-09", 1),
        ("2026-03-03", "2026-03-03", 2),
        ("2026-03-02", "2026-03-09", 3),
    ]
    frame = table(
        *[("S", "a", *row) for row in rows], columns=("what", "who", "when", "known", "n")
    )
    by_known, by_when = read_table(frame, **COLUMNS, recorded="known"), read_table(frame, **COLUMNS)
    assert [e.data["n"] for e in by_known.read("a")] == [2, 1, 3]
    assert by_known.notes == ["sorted by 'known': 1 row stood below later ones"]
    assert [e.data.get("n") for e in by_when.read("a")] == [1, 3, 2]
    assert "sorted by 'when': 1 row stood below later ones" in repr(by_when)


def test_rows_of_one_moment_keep_their_order():
    frame = table(
        *[("S", "a", "2026-03-01T09:00Z", n) for n in range(50)],
        columns=("what", "who", "when", "n"),
    )
    store = read_table(frame, **COLUMNS)
    assert [e.data["n"] for e in store.read("a")] == list(range(50)) and store.notes == []


def test_what_was_recorded_late_is_known_late():
    frame = small().assign(known=["2026-03-01T09:00Z", "2026-03-02T09:00Z", "2026-03-09T09:00Z"])
    store = read_table(frame, **COLUMNS, recorded="known")
    assert store.state("a", total, 0, until="2026-03-05") == 7
    assert store.state("a", total, 0, until="2026-03-05", as_of="2026-03-05") == 0
    assert store.read("a")[1].late and "known" not in store.read("a")[1].data


def test_what_was_recorded_before_it_happened_is_kept_and_said():
    store = read_table(
        small().assign(known=["2026-03-01", "2026-03-02T09:00Z", "2026-03-03T09:00Z"]),
        **COLUMNS,
        recorded="known",
    )
    assert len(store) == 3 and store.notes == ["1 row recorded before it happened"]


def test_several_utc_offsets_are_one_time_line():
    times = [
        "2026-03-29 01:30:00+01:00",
        "2026-03-29 03:30+02:00",
        "2026-03-29T00:45Z",
        "2026-03-29 00:50:00 UTC",
        "20260329T0055+00",
    ]
    store = read_table(table(*[("S", "a", time) for time in times]), **COLUMNS)
    assert [e.happened.isoformat()[11:16] for e in store.read("a")] == [
        "00:30",
        "00:45",
        "00:50",
        "00:55",
        "01:30",
    ]


def test_times_may_be_timestamps_datetimes_dates_and_texts_side_by_side():
    utc = UTC
    moments = [
        "2026-03-01",
        date(2026, 3, 2),
        datetime(2026, 3, 3, 9, tzinfo=utc),
        pandas.Timestamp("2026-03-04T09:00:00.000001234Z"),
    ]
    frame = table(*[("S", "a", None)] * 4).assign(when=pandas.Series(moments, dtype=object))
    assert [e.happened for e in read_table(frame, **COLUMNS).read("a")] == [
        datetime(2026, 3, 1, tzinfo=utc),
        datetime(2026, 3, 2, tzinfo=utc),
        datetime(2026, 3, 3, 9, tzinfo=utc),
        datetime(2026, 3, 4, 9, 0, 0, 1, tzinfo=utc),
    ]


def test_the_hour_that_a_clock_shows_twice_is_two_moments():
    twice = pandas.Series(
        pandas.to_datetime(["2026-10-25T00:30Z", "2026-10-25T01:30Z"])
    ).dt.tz_convert("Europe/Amsterdam")
    for moments in (twice, pandas.Series([t.to_pydatetime() for t in twice], dtype=object)):
        store = read_table(table(*[("S", "a", None)] * 2).assign(when=moments), **COLUMNS)
        assert [e.happened.hour for e in store.read("a")] == [0, 1]


# What cannot be read.


def test_rows_that_cannot_be_read_come_back_as_they_were_with_the_reason():
    rows = [
        ("S", "a", "2026-03-01T09:00Z", 1),
        (None, "a", "2026-03-01T09:00Z", 2),
        ("S", " ", "2026-03-01T09:00Z", 3),
        ("S", "a", None, 4),
        ("S", "a", "yesterday", 5),
        ("S", "a", "2026-03-01 09:00", 6),
        ("S", "a", 17, 7),
        ("S", "a", "2026-02-30T09:00Z", 8),
        ("S", "a", "2026-03-01T09:00Z", object),
        ("S", "a", "0001-01-01T09:00+14:00", 9),
    ]
    frame = table(*rows, columns=("what", "who", "when", "n"), index=list("stuvwxyzab"))
    store = read_table(frame, **COLUMNS)
    assert len(store) == 1 and store.read("a")[0].data == {"n": 1}
    assert store.refused["reason"].to_dict() == {
        "t": "what is empty",
        "u": "who is empty",
        "v": "when is empty",
        "w": "when 'yesterday' is no time as ISO 8601 writes it, such as 2026-03-03T12:00+01:00",
        "x": "when '2026-03-01 09:00' has no time zone: put its offset behind it, such as +01:00",
        "y": "when '17' is no time as ISO 8601 writes it, such as 2026-03-03T12:00+01:00",
        "z": "when '2026-02-30T09:00Z' is no time as ISO 8601 writes it, such as 2026-03-03T12:00+01:00",
        "a": "n holds object, for which JSON has no form",
        "b": "when '0001-01-01T09:00+14:00' is in UTC outside the years 1 to 9999",
    }
    pandas.testing.assert_frame_equal(store.refused.drop(columns="reason"), frame.iloc[1:])
    assert "9 rows refused, see .refused" in repr(store)


def test_a_byte_of_another_encoding_loses_no_other_row_and_no_text_that_cannot_be_read_again_is_stored(
    tmp_path,
):
    (tmp_path / "table.csv").write_bytes(
        b"what,who,when,n\nS,caf\xe9,2026-03-01,1\nS,caf\xc3\xa9,2026-03-01,2\nS,a,2026-03-01,caf\xe9\nS,a,2026-03-01,\xf0\x9f\x8d\x95\n"
    )
    store = read_table(
        pandas.read_csv(tmp_path / "table.csv", encoding_errors="surrogateescape"), **COLUMNS
    )
    assert [(e.stream, e.data["n"]) for e in store.read()] == [
        ("caf\u00e9", "2"),
        ("a", "\U0001f355"),
    ]
    assert (
        store.refused.index.tolist() == [0, 2]
        and store.refused["reason"].str.contains("no text: read the file with its encoding").all()
    )


def test_a_version_is_a_number_that_a_class_can_have():
    frame = pandas.concat([small()] * 2, ignore_index=True).assign(
        v=["1", 2.0, None, "0", "1.5", 10**20]
    )
    store = read_table(frame, **COLUMNS, version="v")
    assert [e.schema for e in store.read()] == [1, 2, 1] and len(store.refused) == 3
    assert store.refused["reason"].str.endswith("is no version: a whole number from 1").all()


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


def test_rows_that_are_alike_are_all_kept_where_no_column_of_ids_says_that_they_are_one():
    assert len(read_table(pandas.concat([small(), small()]), **COLUMNS)) == 6


def test_a_column_called_reason_is_not_written_over():
    frame = small().assign(reason=["x", "y", "z"]).assign(who=["a", None, "a"])
    assert read_table(frame, **COLUMNS).refused.iloc[0][
        ["reason", "reason it was refused"]
    ].tolist() == ["y", "who is empty"]


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
            for word in ("none of the table's", "no time zone", "are numbers", "as ISO 8601 does")
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
        (
            lambda f: {"frame": "events.csv"},
            "takes a DataFrame, such as pandas.read_csv('events.csv') gives, not 'events.csv'",
        ),
        (
            lambda f: {"frame": f.drop(columns="who")},
            "no column 'who' in the table; columns in the table: what, when, amount",
        ),
        (
            lambda f: {"time": "wen"},
            "no column 'wen' in the table; columns in the table: what, who, when, amount. Did you mean 'when'?",
        ),
        (lambda f: {"subject": ["who"]}, "no column ['who'] in the table"),
        (lambda f: {"time": None}, "no column None in the table"),
        (
            lambda f: {"frame": f.iloc[:0]},
            "the table has no rows (columns: what, who, when, amount), so there is nothing to store",
        ),
        (
            lambda f: {"frame": pandas.concat([f, f[["amount"]]], axis=1)},
            "several columns with the name 'amount'; rename them",
        ),
        (
            lambda f: {"frame": f.assign(who=None)},
            "none of the table's 3 rows can be read as an event: who is empty (3 rows)",
        ),
        (
            lambda f: {"frame": f.assign(when=["2026-03-01 09:00", "x", None])},
            "such as '2026-03-01 09:00', have no time zone",
        ),
        (
            lambda f: {"frame": f.assign(when=["3/4/2026 9:00", None, "x"])},
            "such as '3/4/2026 9:00', are not written as ISO 8601 does",
        ),
        (
            lambda f: {"frame": f.assign(when=[1, 2, 3])},
            "the times in 'when' are numbers, and what they count is not said",
        ),
    ],
)
def test_a_table_that_cannot_be_read_at_all_is_told_in_a_sentence(change, says):
    with pytest.raises(Misuse) as told:
        read_table(**{"frame": small(), **COLUMNS, **change(small())})
    assert says in str(told.value)


# What an error says to do, done as it is written.


def followed(frame, **roles):
    """The store once each statement that an error gives has been carried out, and these."""
    said = []
    for _ in range(3):
        try:
            return read_table(frame, **{**COLUMNS, **roles}), said
        except Misuse as told:
            said.append(str(told))
            names = {"frame": frame.copy(), "pandas": pandas}
            with warnings.catch_warnings(action="ignore"):
                exec("frame" + said[-1].partition(": frame")[2], names)
            frame = names["frame"]
    raise AssertionError(said)


def at(*when, dtype=object):
    return table(*[("S", "a", None)] * len(when)).assign(when=pandas.Series(when, dtype=dtype))


def days(store):
    return [fact.happened.strftime("%d.%m.%y %H:%M") for fact in store.read()]


NAIVE = ["2026-03-01 09:00", "2026-03-02 09:00", "2026-07-03 09:00"]


@pytest.mark.parametrize(
    "kept",
    [
        list,
        pandas.to_datetime,
        lambda times: pandas.Series(times, dtype="category"),
        lambda times: pandas.Series(pandas.to_datetime(times).to_pydatetime(), dtype=object),
        lambda times: pandas.PeriodIndex(times, freq="h"),
    ],
)
def test_what_is_said_about_times_without_a_zone_mends_them(kept):
    store, said = followed(small().assign(when=kept(NAIVE)))
    assert days(store) == ["01.03.26 08:00", "02.03.26 08:00", "03.07.26 07:00"]
    assert len(said) == 1 and "have no time zone, and 9 o'clock is another moment" in said[0]


@pytest.mark.parametrize("parsed", [False, True])
def test_an_hour_that_a_clock_skips_or_shows_twice_is_refused_and_the_other_rows_are_read(parsed):
    frame = at(*NAIVE, "2026-03-29 02:30", "2026-10-25 02:30")
    frame["when"] = pandas.to_datetime(frame["when"]) if parsed else frame["when"]
    store, said = followed(frame)
    assert "ambiguous=" in said[0] and "nonexistent=" in said[0] and len(store) == 3
    skipped, twice = store.refused["reason"]
    assert "02:30" in skipped and "does not exist in Europe/Amsterdam, where clocks" in skipped
    assert "02:30" in twice and "is two moments in Europe/Amsterdam, where clocks" in twice


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("29.03.2026 02:30", "does not exist in Europe/Amsterdam"),
        ("3/29/2026 2:30", "does not exist in Europe/Amsterdam"),
        ("25.10.2026 02:30", "is two moments in Europe/Amsterdam"),
        ("29.03.2026 09:90", "is no time as ISO 8601 writes it"),
    ],
)
def test_the_reason_for_a_local_time_that_a_clock_skips_names_the_zone_and_can_be_followed(
    written, why
):
    frame = at(*["13.04.2026 09:00"] * 3, written)
    store, _ = followed(frame)
    (reason,) = store.refused["reason"]
    assert reason.startswith(f"when '{written}' {why}") and len(store) == 3
    moment = reason.rpartition("such as ")[2]
    read = {
        "2026-03-29T03:30:00+02:00": "29.03.26 01:30",
        "2026-10-25T02:30:00+02:00": "25.10.26 00:30",
    }
    assert days(read_table(at(moment), **COLUMNS)) == [read.get(moment, "03.03.26 11:00")]


def test_a_cell_that_a_statement_cannot_read_stays_and_its_row_alone_is_refused():
    store, _ = followed(at(*NAIVE, "31/12/2025", None))
    assert len(store) == 3 and store.refused["when"].tolist()[0] == "31/12/2025"
    assert store.refused["reason"].tolist() == [
        "when '31/12/2025' is no time as ISO 8601 writes it, such as 2026-03-03T12:00+01:00",
        "when is empty",
    ]


def test_times_are_never_taken_for_utc_because_a_clock_showed_them_twice():
    with pytest.raises(Misuse, match="has no time zone: put its offset behind it") as told:
        read_table(at("2026-10-25 02:30", "2026-10-25 02:40"), **COLUMNS)
    assert "utc=True" not in str(told.value)


@pytest.mark.parametrize(
    ("times", "read"),
    [
        (["3/4/2026 9:00", "13/4/2026 9:00"], ["03.04.26 07:00", "13.04.26 07:00"]),
        (["12/31/2025 9:00", "1/2/2026 9:00"], ["31.12.25 08:00", "02.01.26 08:00"]),
        (["1/2/2026 9:00", "12/31/2025 9:00", "12/30/2025 9:00"], None),
        (["3/4/2026 9:00 +0200", "13/4/2026 9:00 +0100"], ["03.04.26 07:00", "13.04.26 08:00"]),
        (["Tue, 03 Mar 2026 09:00:00 GMT"] * 2, ["03.03.26 09:00"] * 2),
    ],
)
def test_what_is_said_about_other_ways_to_write_times_mends_them(times, read):
    store, said = followed(at(*times))
    assert "are not written as ISO 8601 does" in said[0] and store.refused.empty
    assert read in (None, days(store)) and len(store) == len(times)


@pytest.mark.parametrize(
    ("times", "dtype", "unit"),
    [
        ([1772528400, 1772532000], "int64", "seconds since 1970"),
        ([1772528400, 1772532000], "Int64", "seconds since 1970"),
        (["1772528400", "1772532000"], object, "seconds since 1970"),
        ([Decimal("1772528400.0"), Decimal("1772532000.0")], object, "seconds since 1970"),
        ([1772528400000, 1772532000000], "int64", "milliseconds since 1970"),
        ([1772528400000, 1772532000000], "float64", "milliseconds since 1970"),
        ([1772528400000000, 1772532000000000], "int64", "microseconds since 1970"),
        ([1772528400000000000, 1772532000000000000], "float64", "nanoseconds since 1970"),
        ([46084 + 10 / 24, 46084 + 11 / 24], "float64", "days of a spreadsheet"),
    ],
)
def test_what_is_said_about_numbers_names_their_unit_and_mends_them(times, dtype, unit):
    store, said = followed(at(*times, dtype=dtype))
    assert f"are numbers, and what they count is not said; if {unit}: " in said[0]
    assert days(store) == ["03.03.26 09:00", "03.03.26 10:00"]


@pytest.mark.parametrize(
    ("times", "unit", "read"),
    [
        ([20260303, 20260304, 20261399], "days such as 20260303", 2),
        ([2025, 2026], "years", 2),
        ([0, 60, 3600], "seconds since 1970", 3),
        ([1772528400000, 1772532000000, 7], "milliseconds since 1970", 3),
    ],
)
def test_numbers_that_may_be_days_or_little_are_told_apart_by_the_years_they_give(
    times, unit, read
):
    store, said = followed(at(*times, dtype="int64"))
    assert f"if {unit}: " in said[0] and len(store) == read


@pytest.mark.parametrize("kind", ["int64", "float64", object])
@pytest.mark.parametrize(
    ("unit", "other", "factor"),
    [("milliseconds", "seconds", 1_000), ("microseconds", "milliseconds", 1_000)],
)
def test_seconds_among_milliseconds_are_named_and_do_not_become_1970(unit, other, factor, kind):
    begin = 1772528400 * (1 if other == "seconds" else 1000)
    times = [begin * factor, (begin + 1) * factor, begin, begin * factor]
    frame = at(*times, dtype=kind).set_index(pandas.Index(list("stuv")))
    store, said = followed(frame)
    assert f"; if {unit} since 1970; row 'u' would fall into 1970 so, and may be {other}" in (
        said[0].replace("is not said; if", "; if")
    )
    assert days(store) == ["03.03.26 09:00"] * 4 and len(said) == 1 and store.refused.empty


def test_seconds_among_milliseconds_leave_an_empty_cell_and_a_word_as_they_are():
    times = [1772528400000, 1772528400000, 1772528400, None, "soon"]
    store, _ = followed(at(*times))
    assert days(store) == ["03.03.26 09:00"] * 3
    assert store.refused["reason"].str.contains("is empty|'soon' is no time").all()


def test_a_row_with_a_column_for_each_moment_is_made_one_for_each_event():
    columns = ("ticket", "hours", "created", "closed")
    rows = [("t1", 2, "2026-01-01", "2026-02-01"), ("t2", 0, "2026-01-02", None)]
    frame = table(*rows, columns=columns)
    store, said = followed(frame, type="type", subject="ticket", time="moment")
    assert said[0].startswith("no column 'type' in the table; ") and "created, closed" in said[0]
    assert [(e.stream, e.type, e.data) for e in store.read()] == [
        ("t1", "created", {"hours": 2}),
        ("t2", "created", {"hours": 0}),
        ("t1", "closed", {"hours": 2}),
    ]
    with pytest.raises(Misuse, match="take type='status' and time='happened' of: frame = frame.m"):
        read_table(frame, type="status", subject="ticket", time="created")


@pytest.mark.parametrize("type", ["ticket opened", "T02 paid", "3d print", "class", "été, encore"])
def test_the_name_of_a_class_is_said_for_a_type_that_can_be_none(type):
    frame = small().assign(what=type)
    with pytest.raises(Misuse, match="cannot be the name of a class; rename it") as told:
        read_table(frame, **COLUMNS).read()[0].event
    column = frame["what"]
    code = str(told.value).partition("in the table, ")[2].partition(", or read")[0]
    frame["what"] = eval(code, {"column": column})
    fact = read_table(frame, **COLUMNS).read()[0]
    exec(f"class {fact.type}(Event):\n amount: float", {"Event": Event, "__name__": "lesson"})
    assert fact.event.amount == 0.0


def test_columns_that_no_field_can_be_are_renamed_or_left_out_as_is_said():
    class TableWorked(Event):
        time_spent: int

    columns = {"time spent": 3, "2nd": 1, "_by": "Ada", "time_spent": 4}
    frame = table(("TableWorked", "a", "2026-03-01")).assign(**columns)
    with pytest.raises(Misuse, match="what class TableWorked has no field for") as told:
        read_table(frame, **COLUMNS).read()[0].event
    names = {"frame": frame}
    exec("frame" + str(told.value).rpartition(": frame")[2], names)
    assert read_table(names["frame"], **COLUMNS).read()[0].event.time_spent == 4
    renamed = str(told.value).partition("can be: ")[2].partition(", and make")[0]
    exec(renamed, {"frame": frame.drop(columns="time_spent")})
    assert "'2nd': 'field_2nd', '_by': 'by'" in renamed and "'time spent': 'time_spent'" in renamed


# Numbers that are not what was written.


LONG = """what,who,when,id,n
S,1234567890123456789,2026-01-01,1234567890123456789,1
S,,2026-01-02,,
S,1234567890123456788,2026-01-03,1234567890123456788,1234567890123456788
S,12,2026-01-04,12,12
"""


@pytest.mark.parametrize(
    ("name", "roles", "rows"),
    [
        ("who", COLUMNS, [0, 1, 2]),
        ("id", {**COLUMNS, "subject": "what", "id": "id"}, [0, 1, 2]),
        ("n", {**COLUMNS, "subject": "what"}, [2]),
    ],
)
def test_a_long_number_that_pandas_rounded_is_refused_and_read_as_text_as_is_said(
    name, roles, rows
):
    texts = {other: str for other in ("who", "id", "n") if other != name}
    refused = read_table(pandas.read_csv(StringIO(LONG), dtype=texts), **roles).refused
    assert refused.index.tolist() == rows
    why, hint = refused["reason"].loc[2].split(", with dtype=")
    assert why == f"{name} '1.2345678901234568e+18' may be another number, rounded: " + (
        "read the column as text"
    )
    store = read_table(pandas.read_csv(StringIO(LONG), dtype=texts | eval(hint)), **roles)
    found = [[fact.stream, fact.id, *fact.data.values()] for fact in store.read()]
    assert "1234567890123456788" in found[-2] and 2 not in store.refused.index


def test_seven_and_007_are_one_among_numbers_and_that_is_said():
    text = "what,who,when\nS,7,2026-01-01\nS,007,2026-01-02\n"
    store = read_table(pandas.read_csv(StringIO(text)), **COLUMNS)
    assert store.streams() == ["7"] and store.notes == [
        "'who' was read as numbers, where 007 and 7 are one: dtype={'who': str} keeps them apart"
    ]
    store = read_table(pandas.read_csv(StringIO(text), dtype={"who": str}), **COLUMNS)
    assert store.streams() == ["7", "007"] and store.notes == []


@pytest.mark.parametrize("name", ["id", "customer_id", "Zip", "shopCode"])
def test_zeros_lost_of_an_id_or_of_data_that_are_one_by_their_name_are_said(name):
    text = f"what,who,when,{name},paid\nS,a,2026-01-01,7,1\nS,a,2026-01-02,007,2\n"
    roles = {"id": "id"} if name == "id" else {}
    store = read_table(pandas.read_csv(StringIO(text)), **COLUMNS, **roles)
    note = f"{name!r} was read as numbers, where 007 and 7 are one: dtype={{{name!r}: str}} keeps"
    assert store.notes[-1].startswith(note) and len(store.refused) == len(roles)
    hint = eval(store.notes[-1].partition("dtype=")[2].removesuffix(" keeps them apart"))
    store = read_table(pandas.read_csv(StringIO(text), dtype=hint), **COLUMNS, **roles)
    found = [fact.id if roles else fact.data[name] for fact in store.read()]
    assert found == ["7", "007"] and store.notes == []


def test_several_columns_of_ids_are_mended_by_one_hint():
    text = "what,who,when,id\nS,7,2026-01-01,1\nS,07,2026-01-02,2\n"
    store = read_table(pandas.read_csv(StringIO(text)), **COLUMNS, id="id")
    assert store.notes == [
        "'who', 'id' were read as numbers, where 007 and 7 are one: "
        "dtype={'who': str, 'id': str} keeps them apart"
    ]


def test_large_measures_and_whole_numbers_of_other_kinds_are_kept():
    numbers = {"half": [0.5, 2.0**60], "exact": pandas.array([2**60 + 1, None], dtype="Int64")}
    frame = at("2026-03-01", "2026-03-02").assign(**numbers)
    assert [fact.data for fact in read_table(frame, **COLUMNS).read()] == [
        {"half": 0.5, "exact": 2**60 + 1},
        {"half": 2.0**60},
    ]


@pytest.mark.parametrize("hours", [["1", "2", "three", None], [1, 2.5, "three", None]])
def test_one_word_in_a_column_of_numbers_is_said_and_can_be_left_out(hours):
    frame = at(*["2026-03-01"] * 4).assign(hours=pandas.Series(hours, dtype=object))
    (note,) = read_table(frame, **COLUMNS).notes
    assert note.startswith("'hours' is text, as 'three' in row 2 is no number; ")
    names = {"frame": frame, "pandas": pandas}
    exec(note.partition("of the others: ")[2], names)
    store = read_table(names["frame"], **COLUMNS)
    assert store.state("a", lambda sum, fact: sum + fact.data.get("hours", 0), 0) >= 3
    assert store.notes == []


@pytest.mark.parametrize("names", [["north", "12"], ["12", "7"], ["a", "b"]])
def test_texts_and_codes_are_no_column_of_numbers_with_a_word(names):
    frame = at(*["2026-03-01"] * 2).assign(name=names)
    assert read_table(frame, **COLUMNS).notes == []


# A cell that breaks loses its row alone.


@pytest.mark.parametrize("column", ["when", "seen"])
@pytest.mark.parametrize("unit", ["s", "ms"])
def test_an_epoch_in_the_wrong_unit_loses_its_row_and_no_other(column, unit):
    frame = at("2026-03-01", "2026-03-02").assign(seen="2026-03-01")
    moments = pandas.Series([1772528400, 1772528400000]).astype("datetime64[s]")
    frame[column] = moments.dt.as_unit(unit).dt.tz_localize("UTC")
    store = read_table(frame, **COLUMNS)
    assert len(store) == 1 and store.refused.index.tolist() == [1]
    (why,) = store.refused["reason"]
    assert why.startswith(f"{column} '5") and why.endswith("outside the years 1 to 9999")


def test_a_list_in_itself_loses_its_row_and_no_other():
    circle = []
    circle.append(circle)
    frame = at(*["2026-03-01"] * 3)
    frame["x"] = pandas.Series([circle, {"b", "a"}, {"b", 1}], dtype=object)
    store = read_table(frame, **COLUMNS)
    assert [fact.data for fact in store.read()] == [{"x": ["a", "b"]}]
    assert store.refused["reason"].str.contains("for which JSON has no form").all()


@pytest.mark.parametrize("parsed", [False, True])
def test_rows_less_than_a_microsecond_apart_keep_their_order(parsed):
    times = [f"2026-03-01T09:00:00.00000{tail}Z" for tail in ("1800", "1000", "12", "0999")]
    frame = at(*times).assign(n=[3, 1, 2, 0])
    if parsed:
        frame["when"] = pandas.to_datetime(frame["when"], format="ISO8601")
    store = read_table(frame, **COLUMNS)
    assert [fact.data["n"] for fact in store.read()] == [0, 1, 2, 3]
    assert [fact.happened.microsecond for fact in store.read()] == [0, 1, 1, 1]


def test_an_offset_may_stand_apart_and_a_zone_be_named_behind_it():
    times = ["2026-03-01 09:00:00 +0100", "2026-03-01T09:00+01:00[Europe/Amsterdam]", "20260301"]
    store = read_table(at(*times), **COLUMNS)
    assert days(store) == ["01.03.26 00:00", "01.03.26 08:00", "01.03.26 08:00"]


def test_columns_kept_by_arrow_are_read_as_others_are():
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    frame = pandas.read_csv(StringIO(LONG), dtype_backend="pyarrow").assign(n=[1.5, None, 2, 3])
    frame["n"] = frame["n"].astype("double[pyarrow]")
    store = read_table(frame, **COLUMNS, id="id")
    assert store.streams() == ["1234567890123456789", "1234567890123456788", "12"]
    assert [fact.data for fact in store.read()] == [{"n": 1.5}, {"n": 2.0}, {"n": 3.0}]
    frame["when"] = frame["when"].astype("timestamp[ns][pyarrow]")
    assert len(followed(frame)[0]) == 3


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


@given(until=moments(), as_of=moments())
@settings(real, max_examples=12)
def test_the_table_of_why_is_what_pandas_finds(permits, office, until, as_of):
    until, as_of = chosen(permits, until), chosen(permits, as_of)
    rows, table = known(permits, until, as_of), office.table(until=until, as_of=as_of)
    assert len(table) == len(rows)
    if len(rows):
        assert table["type"].value_counts().to_dict() == rows[ACTIVITY].value_counts().to_dict()
        assert (
            table["happened"].tolist() == rows["moment"].tolist()
            and table["stream"].tolist() == rows[CASE].tolist()
        )
        assert (
            table.reindex(columns=["case:group"]).isna().sum().item()
            == rows["case:group"].isna().sum()
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
