"""A learner's function as an exercise calls it: with globals that no other cell has changed."""

import dis
import inspect
import pickle
import re
import sys
import types
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import Misuse, is_of_a_library, line_of, line_raised, shown
from ..model import Command, Event, Message, Query, declared_in

_STUB = set(  # opcodes of a function with only a docstring and `raise NotImplementedError`
    "RESUME NOP LOAD_CONST RETURN_VALUE RETURN_CONST RETURN_GENERATOR POP_TOP LOAD_GLOBAL "
    "RAISE_VARARGS PUSH_NULL PRECALL CALL CACHE CALL_INTRINSIC_1 RERAISE STOP_ITERATION_ERROR "
    "COPY_FREE_VARS".split()
)


_DEFINED = (types.FunctionType, property, classmethod, staticmethod)


class Answer:
    """A learner's function with globals of its own: the notebook's, then the exercise's `names`.

    The learner's other functions that it calls share these globals. The notebook's functions
    replace the exercise's of the same name, and so do its message classes that are declared in the
    same way, or have further fields with defaults. Raises Misuse if `given` is not a function, or
    if its parameters are not those in `takes`.
    """

    def __init__(self, given: object, takes: str, names: dict[str, Any]):
        self.given = _function(given)
        self.name = self.given.__name__
        theirs = self.given.__globals__
        self.classes = {n: theirs[n] for n, ours in names.items() if _alike(theirs.get(n), ours)}
        self.exercise_names, self.names = names, names | self.classes
        self.globals = {**theirs, **self.names}
        for name, value in theirs.items():
            own = isinstance(value, types.FunctionType) and value.__globals__ is theirs
            if own and isinstance(names.get(name, value), types.FunctionType):
                self.globals[name] = self._copied(value)
        self.function = self._copied(self.given)
        self.is_apart = False  # whether it runs in a separate process
        self.last: Any = None  # how to repeat the trial's last run
        self.again: Any = None  # set to an earlier `last`: repeat only that run
        _check_parameters(self.given, takes)
        self._before = self._outside()

    @contextmanager
    def at_home_in(self, module: str) -> Generator[None]:
        """A context in which the exercise in this module uses the learner's own message classes."""
        instead = {self.exercise_names[name]: own for name, own in self.classes.items()}
        rooms = [vars(room) for name, room in [*sys.modules.items()] if name.startswith(module)]
        held = [(room, name, value) for room in rooms for name, value in room.items() if instead]
        held = [(*each, new) for each in held if (new := _with(each[2], instead)) != each[2]]
        for room, name, _, new in held:
            room[name] = new
        try:
            with declared_in(module, self.classes.values()):
                yield
        finally:
            for room, name, value, _ in held:
                room[name] = value

    @property
    def attempted(self) -> bool:
        """Whether it has more than a docstring and `raise NotImplementedError`, `...` or `pass`."""
        code = self.given.__code__
        steps = list(dis.get_instructions(code))
        if {step.opname for step in steps} - _STUB or set(code.co_names) - {"NotImplementedError"}:
            return True
        # A text is the error's message, or else a return value, and so an attempt.
        text = str if code.co_names else ()
        constants = [s.argval for s in steps if s.opname in ("LOAD_CONST", "RETURN_CONST")]
        return any(
            constant not in (None, ...) and not isinstance(constant, text) for constant in constants
        )

    def call(self) -> Any:
        """The function's return value, if the exercise asks for one. Raises Misuse for an await."""
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
        """The first name outside of the function whose value it changed; "" if there is none."""
        now = self._outside()
        return next(
            (name for name in [*self._before, *now] if self._before.get(name) != now.get(name)), ""
        )

    def where_raised(self, error: BaseException) -> str:
        """The learner's line that raised an exception, and the exception; "" if none did."""
        line = line_raised(error, lambda frame: frame.f_globals is self.globals)
        message = " ".join(str(error).split())[:200]
        return line and f"{line} raised {type(error).__name__}" + (message and f": {message}")

    def line_in(self, said: str) -> str:
        """The innermost line of the learner's code in faulthandler's output, or ""."""
        # Faulthandler writes ASCII: the `ü` of a folder or a function comes as `\xfc`.
        said = said.encode("ascii", "backslashreplace").decode("unicode_escape", "replace")
        known = [*self.globals.values(), self.function]
        codes = [c for f in known if isinstance(f, types.FunctionType) for c in _codes(f.__code__)]
        for path, number, name in re.findall(r'File "(.*)", line (\d+) in (.*)', said):
            if is_of_a_library(path) or name[0] == "<":
                continue
            around = [c for c in codes if c.co_name == name and c.co_firstlineno <= int(number)]
            first = max(around, key=lambda code: code.co_firstlineno, default=self.given.__code__)
            return line_of(first, int(number))
        return ""

    @property
    def redefined(self) -> str:
        """A sentence about the first name of the exercise that the function uses and the learner
        gave to something else; "" if there is none."""
        theirs = self.given.__globals__
        used = {name for f in self._reachable() for c in _codes(f.__code__) for name in _globals(c)}
        for name, ours in self.exercise_names.items():
            if name not in used or name not in theirs:
                continue
            if not _serves(theirs[name], ours):
                fields = _fields(ours)
                what = f"{name}({', '.join(fields)})" if fields else name
                other = (
                    "has other fields" if fields != _fields(theirs[name]) != [] else "is another"
                )
                return f"check uses its own {what}, and yours {other}: give yours another name"
            if (yours := _way(theirs[name])) != (way := _way(ours)):
                said = f"check declares {name} with {way}, and you with {yours}"
                return f"{said}: declare it in the same way, or give yours another name"
        return ""

    def _reachable(self) -> list[types.FunctionType]:
        """The function, and the learner's functions that it uses, directly or not."""
        ahead, found, theirs = [self.function], {}, self.given.__globals__
        while ahead:
            function = ahead.pop()
            if function in found:
                continue
            found[function] = True
            for value in [*_reached(function).values(), *_defaults(function)]:
                for each in _functions(value):
                    if each.__globals__ is self.globals or each.__globals__ is theirs:
                        ahead.append(each)
        return [*found]

    def _outside(self) -> dict[str, object]:
        """The state of everything that the code can reach and that outlives a call, by name:
        variables, default values, and attributes of functions."""
        state = {name: _state(self.globals[name]) for name in self.names if name in self.globals}
        for function in self._reachable():
            state |= {name: _state(value) for name, value in _reached(function).items()}
        return state

    def _copied(self, function: types.FunctionType) -> types.FunctionType:
        """A copy of the function that has the exercise's globals."""
        code, defaults = function.__code__, function.__defaults__
        copy = types.FunctionType(
            code, self.globals, function.__name__, defaults, function.__closure__
        )
        for name in "__kwdefaults__ __annotations__ __doc__ __module__ __qualname__".split():
            setattr(copy, name, getattr(function, name))
        vars(copy).update(vars(function))
        return copy


def _is_message(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, Message)


def _fields(thing: Any) -> list[str]:
    return [*thing.model_fields] if _is_message(thing) else []


def _alike(theirs: Any, ours: Any) -> bool:
    """Whether both are message classes declared in the same way, except for further fields with
    defaults, and the learner's overrides nothing that the judge uses of a message."""
    if not (_has_fields_of(theirs, ours) and theirs.__declared__ == ours.__declared__):
        return False
    fields = ours.model_fields
    if any(repr(field) != repr(theirs.model_fields[name]) for name, field in fields.items()):
        return False
    defined = {name for name, value in vars(theirs).items() if isinstance(value, _DEFINED)}
    return not any(hasattr(Message, name) for name in defined - {*vars(ours)})


def _has_fields_of(theirs: Any, ours: Any) -> bool:
    """Whether code written for our message class also works with the learner's."""
    if not (_is_message(theirs) and _is_message(ours)):
        return False
    kinds, mine, more = {Event, Command, Query}, ours.model_fields, theirs.model_fields
    same = kinds & {*theirs.__mro__} == kinds & {*ours.__mro__} and mine.keys() <= more.keys()
    return same and not any(more[name].is_required() for name in more.keys() - mine.keys())


def _way(thing: Any) -> str:
    """The topic and the key of a message class, in words; "" for anything else."""
    said = thing.__declared__ if _is_message(thing) else None
    return f"topic={said.topic!r} and key={said.key!r}" if said else ""


def _serves(theirs: Any, ours: Any) -> bool:
    """Whether the learner's object fits in place of ours: as the same, a function, or a class."""
    both_functions = isinstance(theirs, types.FunctionType) and isinstance(ours, types.FunctionType)
    return theirs is ours or both_functions or _has_fields_of(theirs, ours)


def _with(value: Any, instead: dict[type, type]) -> Any:
    """A class, or a collection of classes, with some classes replaced by others."""
    if type(value) is dict:
        return {_with(key, instead): _with(held, instead) for key, held in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_with(held, instead) for held in value)
    return instead.get(value, value) if isinstance(value, type) else value


def _defaults(function: types.FunctionType) -> list[object]:
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _reached(function: types.FunctionType) -> dict[str, object]:
    """What a function uses and does not create itself, by name."""
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
    """The function itself, or, for any other value, the functions of its class."""
    if isinstance(value, types.FunctionType):
        return [value]
    cls = value if isinstance(value, type) else type(value)
    plain = [getattr(held, "__func__", getattr(held, "fget", held)) for held in vars(cls).values()]
    return [held for held in plain if isinstance(held, types.FunctionType)]


def _codes(code: types.CodeType) -> list[types.CodeType]:
    """A function's code, and the code of the functions within it."""
    inner = [_codes(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    return sum(inner, [code])


def _globals(code: types.CodeType) -> set[str]:
    return {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}


def _names(code: types.CodeType) -> set[str]:
    """The names that a function's code uses, including the functions within it."""
    return {name for each in _codes(code) for name in each.co_names}


def _state(value: object) -> object:
    """The content of a value, to compare with its later content; None if that is impossible."""
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
