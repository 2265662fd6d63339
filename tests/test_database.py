"""Each service has a SQLite database of its own; `with ctx.database` is a transaction."""

import pytest
from postoffice import SCHEMA, Carry, Posted, Stamped, keep, kept, play, told

from edalab import Misuse, System


def post(function, schema: str = SCHEMA, max_attempts: int = 1):
    system = System("town")
    system.service("post", schema=schema).on(Posted, max_attempts=max_attempts)(function)
    return system


def test_an_exception_rolls_back_and_is_no_save():
    async def stamp(event, ctx):
        with ctx.database as db:
            db.execute("insert into letters values (1)")
            raise ValueError("torn")

    run = play(post(stamp), Posted())
    assert kept(run) == [] and not told(run, "save")


def test_a_return_inside_commits():
    def stamp(event, ctx):
        with ctx.database as db:
            db.execute("insert into letters values (1)")
            return None

    assert kept(play(post(stamp), Posted())) == [1]


def test_a_transaction_that_wrote_nothing_is_no_save():
    def stamp(event, ctx):
        with ctx.database as db:
            db.execute("select * from letters").fetchall()
            db.execute("delete from letters where n = 99")

    assert not told(play(post(stamp), Posted()), "save")


def test_a_table_made_in_a_transaction_is_a_save_and_is_rolled_back_with_it():
    def stamp(event, ctx):
        with ctx.database as db:
            db.execute("create table more (n)")

    assert told(play(post(stamp), Posted()), "save") == ["20 post.save Posted/1"]
    run = play(post(stamp), Posted(), faults=["fail post.save.Posted"])
    assert run._world.services["post"].database.tables() == ["letters"]


def test_what_was_published_in_a_transaction_is_out_whatever_becomes_of_it():
    async def stamp(event, ctx):
        with ctx.database as db:
            db.execute("insert into letters values (1)")
            await ctx.publish(Stamped())
            raise ValueError("torn")

    run = play(post(stamp), Posted())
    assert kept(run) == [] and told(run, "publish", service="post") == ["20 post.publish Stamped"]


def test_replicas_share_one_database_and_services_do_not():
    system = System("town")
    system.topic("letters", partitions=2)
    for name in ("post", "archive"):

        @system.service(name, replicas=2, schema=SCHEMA).on(Posted)
        def stamp(event, ctx):
            with ctx.database as db:
                (number,) = db.execute("select count(*) from letters").fetchone()
                db.execute("insert into letters values (?)", (number,))

    run = play(system, Posted(to="ann"), Posted(to="eve"), Posted(to="ann"))
    assert kept(run, "post") == kept(run, "archive") == [0, 1, 2]


def test_the_schema_runs_once_per_run_and_not_at_a_restart():
    def stamp(event, ctx):
        keep(ctx, 1)

    run = play(
        post(stamp, "create table letters (n); insert into letters values (0)"),
        Posted(),
        faults=["crash post.commit.Posted"],
    )
    assert kept(run) == [0, 1, 1]


def test_what_a_caller_asked_for_is_not_undone_by_its_rollback():
    system = System("town")

    @system.service("bank", schema=SCHEMA).handles(Carry)
    def charge(command, ctx):
        keep(ctx, command.n)

    @system.service("post", schema=SCHEMA).on(Posted)
    async def stamp(event, ctx):
        await ctx.ask(Carry(n=1))
        keep(ctx, 1)

    run = play(system, Posted(), faults=["fail post.save.Posted"])
    assert kept(run, "bank") == [1, 1] and kept(run, "post") == [1]


@pytest.mark.parametrize(
    "end",
    [
        lambda db: db.commit(),
        lambda db: db.rollback(),
        lambda db: db.executescript("select 1"),
        *[
            lambda db, sql=sql: db.execute(sql)
            for sql in ("commit", "rollback", "begin", "savepoint x", " COMMIT", "end")
        ],
        *[
            lambda db, sql=sql: db.execute(sql)
            for sql in ("-- done\ncommit", "/* all */ commit", "; commit", "/* a\n*/--b\n end")
        ],
    ],
)
def test_a_transaction_is_not_ended_by_hand(end):
    def stamp(event, ctx):
        with ctx.database as db:
            db.execute("insert into letters values (1)")
            end(db)

    with pytest.raises(Misuse, match="commits at its end") as caught:
        play(post(stamp), Posted())
    assert kept(caught.value.run) == []


def test_a_comment_that_speaks_of_a_commit_ends_nothing():
    def stamp(event, ctx):
        with ctx.database as db:
            db.execute("-- commit\ninsert /* commit */ into letters values (1)")

    assert kept(play(post(stamp), Posted())) == [1]


def test_sql_that_is_no_text_is_refused_where_it_is_given():
    def stamp(event, ctx):
        with ctx.database as db:
            db.execute(None)

    failure, *_ = play(post(stamp), Posted()).failures
    assert "execute takes SQL as a text, not None" in str(failure)
