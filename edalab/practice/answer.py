"""The learner's function as an exercise plays it: by its own code, among names that no other cell can have changed."""

import inspect
import pickle
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from ..errors import Misuse, line_of, shown
from ..sim import Printed, printing
from ..stuck import TooLong, tries

IN_ONE_GO = 200_000  # lines of the learner's code without an await or a return
IN_ALL = 4_000_000
_AROUND = 1_000  # lines in which to find the one to stop at
_STUB = {
    "RESUME",
    "NOP",
    "LOAD_CONST",
    "RETURN_VALUE",
    "RETURN_CONST",
    "RETURN_GENERATOR",
    "POP_TOP",
    "LOAD_GLOBAL",
    "RAISE_VARARGS",
}
_STUB |= {
    "PUSH_NULL",
    "PRECALL",
    "CALL",
    "CACHE",
    "CALL_INTRINSIC_1",
    "RERAISE",
    "STOP_ITERATION_ERROR",
    "COPY_FREE_VARS",
}


class Answer:
    """A function of the learner's. Raises Misuse where it is no function, or takes other parameters than `takes`."""

    def __init__(self, given: object, takes: str, names: dict[str, object]):
        self.given = _function(given)
        self.name = self.given.__name__
        self.overlay = {**self.given.__globals__, **names}
        self.names = names
        for (
            name,
            thing,
        ) in self.given.__globals__.items():  # a helper of the learner's sees the same names
            if (
                name not in names
                and isinstance(thing, types.FunctionType)
                and thing.__globals__ is self.given.__globals__
            ):
                self.overlay[name] = self._again(thing)
        self.function = self._again(self.given)
        _check_parameters(self.given, takes)
        self._before = self._outside()

    @property
    def attempted(self) -> bool:
        """Whether there is more in it than a docstring and `raise NotImplementedError`, `...` or `pass`."""
        import dis

        code, raises = self.given.__code__, "NotImplementedError"
        steps = list(dis.get_instructions(code))
        loaded = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
        said = (
            str if raises in code.co_names else ()
        )  # its text; a text that is returned is an answer
        return bool(
            set(code.co_names) - {raises}
            or {step.opname for step in steps} - _STUB
            or any(
                constant not in (None, ...) and not isinstance(constant, said)
                for constant in loaded
            )
        )

    def call(self) -> Any:
        """What the function, if it is no handler, returns."""
        returned = self.function()
        if inspect.iscoroutine(returned):
            try:
                returned.send(None)
            except StopIteration as done:
                return done.value
            returned.close()
            raise Misuse(
                f"{self.name} awaits something, and here nothing goes on meanwhile; write it as a plain def"
            )
        return returned

    @property
    def changed(self) -> str:
        """What lies outside of the function and is not as it was before, as its code names it; "" if all is."""
        now = self._outside()
        return next(
            (name for name in [*self._before, *now] if self._before.get(name) != now.get(name)), ""
        )

    @contextmanager
    def watched(self) -> Iterator[Printed]:
        """Stop its code when it runs on and on, and keep what it prints: of `print`, the first thousand characters."""
        printed, before, lines = Printed(1_000), sys.gettrace(), IN_ALL
        overlay, theirs = self.overlay, self.given.__globals__

        def enter(frame, event, argument):
            if (
                frame.f_globals is not overlay and frame.f_globals is not theirs
            ):  # not _has(...): for each call of the simulator's
                return None
            left, outermost = IN_ONE_GO, sys.maxsize

            def count(frame, event, argument):
                nonlocal left, lines, outermost
                if event == "line":
                    left, lines = left - 1, lines - 1
                    if left < 0 or lines < 0:
                        # Where the fewest `try` are around: who is stopped within a bare `except:` goes on, and is counted no more.
                        around = tries(frame)
                        if min(left, lines) < -_AROUND and around <= outermost:
                            most = IN_ONE_GO if left < 0 else IN_ALL
                            raise TooLong(
                                f"{self.name} ran {most:,} lines and did not come to an end"
                            )
                        outermost = min(outermost, around)
                return count

            return count

        with printing(printed), _nothing_displayed():
            sys.settrace(enter)
            try:
                yield printed
            finally:
                sys.settrace(before)

    def told(self, error: BaseException) -> str | None:
        """An exception of the learner's code, with its line; None where that was not in it."""
        line, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals is self.overlay:
                line = line_of(trace.tb_frame.f_code, trace.tb_lineno)
            trace = trace.tb_next
        said = " ".join(str(error).split())
        return (
            None
            if line is None
            else f"{line} raised {type(error).__name__}" + (f": {said[:200]}" if said else "")
        )

    def _has(self, names: dict[str, object]) -> bool:
        """Whether code that runs among these names is the learner's."""
        return names is self.overlay or names is self.given.__globals__

    def _outside(self) -> dict[str, object]:
        """The state of all that its code can reach and that outlives a call: variables, defaults, what hangs on functions."""
        found = {name: _state(self.overlay[name]) for name in self.names if name in self.overlay}
        ahead, seen = [self.function], set()
        while ahead:
            function = ahead.pop()
            if function in seen:
                continue
            seen.add(function)
            known = function.__globals__
            reached = {
                f"{function.__name__}.{name}": value for name, value in vars(function).items()
            }
            defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
            reached |= {f"a default value of {function.__name__}": defaults}
            reached |= {
                name: known[name] for name in sorted(_names(function.__code__)) if name in known
            }
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
                try:
                    reached[name] = cell.cell_contents
                except ValueError:  # not bound yet
                    pass
            ahead += [
                each
                for value in [*reached.values(), *defaults]
                for each in _functions(value)
                if self._has(each.__globals__)
            ]
            found |= {name: _state(value) for name, value in reached.items()}
        return found

    def _again(self, function: types.FunctionType) -> types.FunctionType:
        again = types.FunctionType(
            function.__code__,
            self.overlay,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        again.__kwdefaults__, again.__annotations__ = (
            function.__kwdefaults__,
            function.__annotations__,
        )
        again.__doc__, again.__module__, again.__qualname__ = (
            function.__doc__,
            function.__module__,
            function.__qualname__,
        )
        vars(again).update(vars(function))
        return again


def _nothing_displayed():
    """In a notebook: what is displayed hundreds of times, once in every run, would bury the result."""
    if "ipykernel" not in sys.modules:
        return nullcontext()
    from IPython.utils.capture import capture_output

    return capture_output(stdout=False, stderr=False)


def _functions(value: object) -> list[types.FunctionType]:
    """The functions in a value: itself, or those of its class."""
    if isinstance(value, types.FunctionType):
        return [value]
    cls = value if isinstance(value, type) else type(value)
    plain = [getattr(held, "__func__", getattr(held, "fget", held)) for held in vars(cls).values()]
    return [held for held in plain if isinstance(held, types.FunctionType)]


def _names(code: types.CodeType) -> set[str]:
    """The names that a function's code uses, in the functions within it too."""
    return set(code.co_names).union(
        *[_names(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)]
    )


def _state(value: object) -> object:
    """What a value holds, to be compared with what it holds later; None where that cannot be told."""
    if isinstance(value, types.FunctionType | types.ModuleType):
        return id(value)
    if isinstance(value, type):
        return [
            id(value),
            {
                name: _state(held)
                for name, held in vars(value).items()
                if not name.startswith("__") and not callable(held)
            },
        ]
    try:
        return pickle.dumps(value)
    except Exception:  # of the learner's own classes, too
        return None


def _function(given: object) -> types.FunctionType:
    if isinstance(given, types.FunctionType):
        return given
    if inspect.iscoroutine(given):
        given.close()
    what = f"the class {given.__name__}" if isinstance(given, type) else shown(given)
    if isinstance(given, str):
        what += ": leave out the quotes"
    elif given is not None and not callable(given):
        what += ": leave out what stands in parentheses behind its name"
    raise Misuse(f"check takes a function that was written with def, not {what}")


def _check_parameters(function: types.FunctionType, takes: str) -> None:
    names = [name.strip() for name in takes.split(",") if name.strip()]
    fitting = [names, names[:-1]] if names[-1:] == ["ctx"] else [names]
    for some in fitting:
        try:
            inspect.signature(function).bind(*some)
            return
        except TypeError:
            pass
    has = inspect.signature(function)
    raise Misuse(
        f"{function.__name__} takes {has}, and here it is called with ({takes}); write def {function.__name__}({takes}):"
    )
