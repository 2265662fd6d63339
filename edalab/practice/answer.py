"""The learner's function as an exercise plays it: by its own code, among names that no other cell can have changed."""

import inspect
import io
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import combinations

from ..errors import Misuse, shown

IN_ONE_GO = 200_000  # lines of the learner's code without an await or a return
IN_ALL = 20_000_000
_STUB = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "RETURN_GENERATOR", "POP_TOP", "LOAD_GLOBAL", "RAISE_VARARGS"}
_STUB |= {"PUSH_NULL", "PRECALL", "CALL", "CACHE", "CALL_INTRINSIC_1", "RERAISE", "STOP_ITERATION_ERROR", "COPY_FREE_VARS"}


class TooLong(BaseException):  # no `except Exception` of the learner's may stop it
    """The learner's code ran on and on."""


class Answer:
    """A function of the learner's. Raises Misuse where it is no function, or takes other parameters than `takes`."""

    def __init__(self, given: object, takes: str, names: dict[str, object]):
        self.given = _function(given)
        self.name = self.given.__name__
        self.overlay = {**self.given.__globals__, **names}
        for name, thing in self.given.__globals__.items():  # a helper of the learner's sees the same names
            if name not in names and isinstance(thing, types.FunctionType) and thing.__globals__ is self.given.__globals__:
                self.overlay[name] = self._again(thing)
        self.function = self._again(self.given)
        _check_parameters(self.given, takes)

    @property
    def attempted(self) -> bool:
        """Whether there is more in it than a docstring and `raise NotImplementedError`, `...` or `pass`."""
        import dis

        code = self.given.__code__
        return bool(
            set(code.co_names) - {"NotImplementedError"}
            or {step.opname for step in dis.get_instructions(code)} - _STUB
            or any(not isinstance(constant, str | type(None) | type(...)) for constant in code.co_consts)
        )

    @contextmanager
    def watched(self) -> Iterator[io.StringIO]:
        """Stop its code when it runs on and on, and keep what it prints: of `print`, the first thousand characters."""
        printed, before, lines = _Printed(), sys.gettrace(), IN_ALL

        def enter(frame, event, argument):
            if frame.f_globals is not self.overlay:
                return None
            left = IN_ONE_GO

            def count(frame, event, argument):
                nonlocal left, lines
                if event == "line":
                    left, lines = left - 1, lines - 1
                    if left < 0 or lines < 0:
                        raise TooLong(f"{self.name} ran {IN_ONE_GO if left < 0 else IN_ALL:,} lines and did not come to an end")
                return count

            return count

        with redirect_stdout(printed), redirect_stderr(printed):
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
                code = trace.tb_frame.f_code
                line = f"line {trace.tb_lineno - code.co_firstlineno + 1} of {code.co_name}"
            trace = trace.tb_next
        said = " ".join(str(error).split())
        return None if line is None else f"{line} raised {type(error).__name__}" + (f": {said[:200]}" if said else "")

    def _again(self, function: types.FunctionType) -> types.FunctionType:
        again = types.FunctionType(
            function.__code__, self.overlay, function.__name__, function.__defaults__, function.__closure__
        )
        again.__kwdefaults__, again.__annotations__ = function.__kwdefaults__, function.__annotations__
        again.__doc__, again.__module__, again.__qualname__ = function.__doc__, function.__module__, function.__qualname__
        return again


class _Printed(io.StringIO):
    """What was printed: the beginning, and how much it was."""

    most = 1_000
    length = 0

    def write(self, text: str) -> int:
        self.length += len(text)
        super().write(text[: max(0, self.most - self.tell())])
        return len(text)


def _function(given: object) -> types.FunctionType:
    if isinstance(given, types.FunctionType):
        return given
    if inspect.iscoroutine(given):
        given.close()
    if isinstance(given, type):
        what = f"the class {given.__name__}"
    elif inspect.iscoroutine(given) or not callable(given):
        what = f"{shown(given)}, which a call returned: leave out the parentheses behind its name" if given is not None else "None"
    else:
        what = shown(given)
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
    has = ", ".join(inspect.signature(function).parameters)
    raise Misuse(f"{function.__name__} takes ({has}), and here it is called with ({takes}); write def {function.__name__}({takes}):")
