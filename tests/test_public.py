"""What a learner finds with dir() and help()."""

import pydoc
from importlib import import_module

import pytest

import edalab

MODULES = ("edalab", "edalab.claims", "edalab.view", "edalab.panels", "edalab.practice")
CTX = "publish send ask sleep in_progress redrive all note envelope new_id sequence lease now random state database message".split()


def help_of(thing: object) -> str:
    return pydoc.plain(pydoc.render_doc(thing))


@pytest.mark.parametrize("name", MODULES)
def test_dir_of_a_module_lists_its_public_names_only(name):
    module = import_module(name)
    assert dir(module) == sorted(module.__all__)
    assert all(getattr(module, public).__doc__ for public in dir(module))


def test_help_of_the_context_lists_what_a_handler_can_do():
    public = [name for name in vars(edalab.Context) if not name.startswith("_")]
    assert public == CTX
    text = help_of(edalab.Context)
    assert "_world" not in text and "Raises PublishFailed" in text and "Raises Unanswered" in text


@pytest.mark.parametrize(
    "thing, words",
    [
        (edalab.simulate, ["seed:", "faults:", "until:", "seconds", "Raises Misuse", "run = "]),
        (edalab.explore, ["faults:", "budget:", "executor:", "Raises Misuse"]),
        (edalab.System.topic, ["partitions:", "confirms:", "Raises Misuse", "shop.topic("]),
        (edalab.Claim, ["about:", "Raises Misuse", "run.check(", "not exercised"]),
        (edalab.Fault, ["do:", "at:", "nth:", "seconds:", "Raises Misuse"]),
        (edalab.claims, ["handled_once(", "run.check(", "message: the class"]),
    ],
)
def test_help_names_arguments_errors_and_an_example(thing, words):
    text = help_of(thing)
    assert [word for word in words if word not in text] == []


def test_a_handler_can_be_annotated_with_the_context():
    class Noted(edalab.Event):
        text: str

    office = edalab.System("office")

    @office.service("clerk").on(Noted)
    def file(event: Noted, ctx: edalab.Context) -> None:
        ctx.note(event.text)

    async def one(ctx: edalab.Context) -> None:
        await ctx.publish(Noted(text="hello"))

    assert [s.detail for s in edalab.simulate(office, one).journal if s.step == "note"] == ["hello"]
