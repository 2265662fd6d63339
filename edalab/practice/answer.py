"""A learner's function, as an exercise calls it: no other cell can have changed what it uses."""

import dis
import inspect
import pickle
import sys
import types
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import Misuse, line_raised, shown
from ..model import Command, Event, Message, Query, declared_in

_STUB = set(  # what a function consists of that has a docstring and `raise NotImplementedError`
    "RESUME NOP LOAD_CONST RETURN_VALUE RETURN_CONST RETURN_GENERATOR POP_TOP LOAD_GLOBAL "
    "RAISE_VARARGS PUSH_NULL PRECALL CALL CACHE CALL_INTRINSIC_1 RERAISE STOP_ITERATION_ERROR "
    "COPY_FREE_VARS".split()
)


_DEFINED = (types.FunctionType, property, classmethod, staticmethod)


class Answer:
    """A learner's function with globals of its own: the notebook's, under the exercise's `names`.

    The learner's other functions that it calls see the same globals. Where a message class of the
    notebook is declared as the exercise's of that name is, it takes its place. Raises Misuse if
    `given` is no function, or takes other parameters than `takes`.
    """

    def __init__(self, given: object, takes: str, names: dict[str, Any]):
        self.given = _function(given)
        self.name = self.given.__name__
        theirs = self.given.__globals__
        self.own = {n: theirs[n] for n, ours in names.items() if _alike(theirs.get(n), ours)}
        self.ours, self.names = names, names | self.own
        self.globals = {**theirs, **self.names}
        for name, value in theirs.items():
            own = isinstance(value, types.FunctionType) and value.__globals__ is theirs
            if own and name not in names:
                self.globals[name] = self._copied(value)
        self.function = self._copied(self.given)
        _check_parameters(self.given, takes)
        self._before = self._outside()

    @contextmanager
    def at_home_in(self, module: str) -> Generator[None]:
        """Within it, the exercise in this module works with the learner's own message classes."""
        instead = {self.ours[name]: own for name, own in self.own.items()}
        rooms = [vars(room) for name, room in [*sys.modules.items()] if name.startswith(module)]
        held = [(room, name, value) for room in rooms for name, value in room.items() if instead]
        held = [(*each, new) for each in held if (new := _with(each[2], instead)) != each[2]]
        for room, name, _, new in held:
            room[name] = new
        try:
            with declared_in(module, self.own.values()):
                yield
        finally:
            for room, name, value, _ in held:
                room[name] = value

    @property
    def attempted(self) -> bool:
        """Whether there is more in it than a docstring and `raise NotImplementedError`, `...` or `pass`."""
        code = self.given.__code__
        steps = list(dis.get_instructions(code))
        if {step.opname for step in steps} - _STUB or set(code.co_names) - {"NotImplementedError"}:
            return True
        # A text is the error's, or else what the function returns, and so an attempt.
        text = str if code.co_names else ()
        constants = [s.argval for s in steps if s.opname in ("LOAD_CONST", "RETURN_CONST")]
        return any(
            constant not in (None, ...) and not isinstance(constant, text) for constant in constants
        )

    def call(self) -> Any:
        """What the function returns, of an exercise that asks for a value."""
        returned = self.function()
        if inspect.iscoroutine(returned):
            try:
                returned.send(None)
            except StopIteration as done:
                return done.value
            returned.close()
            why = "awaits something, but nothing else goes on here; write it as a plain def"
            raise Misuse(f"{self.name} {why}")
        return returned

    @property
    def changed(self) -> str:
        """The first name outside of the function whose value it has changed; "" if there is none."""
        now = self._outside()
        return next(
            (name for name in [*self._before, *now] if self._before.get(name) != now.get(name)), ""
        )

    def where_raised(self, error: BaseException) -> str:
        """An exception with the line of the learner's code that raised it; "" if none of it did."""
        line = line_raised(error, lambda frame: frame.f_globals is self.globals)
        message = " ".join(str(error).split())[:200]
        return line and f"{line} raised {type(error).__name__}" + (message and f": {message}")

    def _outside(self) -> dict[str, object]:
        """The state of all that the code can reach and that outlives a call, by name: variables,
        default values, and what is kept on functions."""
        state = {name: _state(self.globals[name]) for name in self.names if name in self.globals}
        ahead, seen, theirs = [self.function], set(), self.given.__globals__
        while ahead:
            function = ahead.pop()
            if function in seen:
                continue
            seen.add(function)
            reached = _reached(function)
            state |= {name: _state(value) for name, value in reached.items()}
            for value in [*reached.values(), *_defaults(function)]:
                for each in _functions(value):
                    if each.__globals__ is self.globals or each.__globals__ is theirs:
                        ahead.append(each)
        return state

    def _copied(self, function: types.FunctionType) -> types.FunctionType:
        """The function, among the exercise's globals."""
        code, defaults = function.__code__, function.__defaults__
        copy = types.FunctionType(
            code, self.globals, function.__name__, defaults, function.__closure__
        )
        for name in "__kwdefaults__ __annotations__ __doc__ __module__ __qualname__".split():
            setattr(copy, name, getattr(function, name))
        vars(copy).update(vars(function))
        return copy


def _alike(theirs: object, ours: object) -> bool:
    """Whether both are message classes that are declared in the same way, and the learner's redefines
    nothing that the judge asks of a message."""
    both = [each for each in (theirs, ours) if isinstance(each, type) and issubclass(each, Message)]
    kinds = {Event, Command, Query}
    said = [(c.__declared__, kinds & {*c.__mro__}, repr(c.model_fields)) for c in both]
    if len(said) < 2 or said[0] != said[1]:
        return False
    defined = {name for name, value in vars(both[0]).items() if isinstance(value, _DEFINED)}
    return not any(hasattr(Message, name) for name in defined - {*vars(both[1])})


def _with(value: Any, instead: dict[type, type]) -> Any:
    """A class or a collection of classes, with others instead of some."""
    if type(value) is dict:
        return {_with(key, instead): _with(held, instead) for key, held in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_with(held, instead) for held in value)
    return instead.get(value, value) if isinstance(value, type) else value


def _defaults(function: types.FunctionType) -> list[object]:
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _reached(function: types.FunctionType) -> dict[str, object]:
    """What a function uses and does not make itself, by name."""
    reached: dict[str, object] = {
        f"{function.__name__}.{name}": value for name, value in vars(function).items()
    }
    reached[f"a default value of {function.__name__}"] = _defaults(function)
    known = function.__globals__
    reached |= {name: known[name] for name in sorted(_names(function.__code__)) if name in known}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a variable that is not bound yet
            reached[name] = cell.cell_contents
    return reached


def _functions(value: object) -> list[types.FunctionType]:
    """A function itself; of anything else the functions of its class."""
    if isinstance(value, types.FunctionType):
        return [value]
    cls = value if isinstance(value, type) else type(value)
    plain = [getattr(held, "__func__", getattr(held, "fget", held)) for held in vars(cls).values()]
    return [held for held in plain if isinstance(held, types.FunctionType)]


def _names(code: types.CodeType) -> set[str]:
    """The names that a function's code uses, in the functions within it too."""
    inner = [_names(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*inner)


def _state(value: object) -> object:
    """What a value holds, to compare with what it holds later; None if that cannot be compared."""
    if isinstance(value, types.FunctionType | types.ModuleType):
        return id(value)
    if isinstance(value, type):
        held = {
            name: _state(held)
            for name, held in vars(value).items()
            if not name.startswith("__") and not callable(held)
        }
        return [id(value), held]
    try:
        return pickle.dumps(value)
    except Exception:  # a class of the learner's can raise anything
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
    has = inspect.signature(function)
    for fitting in [names, names[:-1]] if names[-1:] == ["ctx"] else [names]:
        try:
            has.bind(*fitting)
            return
        except TypeError:
            pass
    name = function.__name__
    mend = f"here it is called with ({takes}); write def {name}({takes}):"
    raise Misuse(f"{name} takes {has}, and {mend}")
