"""What a pickle holds, read without running it: every class and function in it stays a name.

To load a pickle is to run what it says, which may be any function of Python. Here its opcodes are only gone
through: what would be made by a call is written down as the call.
"""

import io
import pickletools
from collections.abc import Callable, Iterator
from typing import IO, Any

from msgspec import Struct

__all__ = ["Made", "NotRead", "Reference", "Value", "read_pickles"]


Value = Any
"""Anything that a pickle may hold."""


class NotRead(Exception):  # noqa: N818 - a signal to who asks, never seen by a user
    """It is no pickle, or is cut off, or larger than is read here."""


class Reference(Struct, frozen=True):
    """A class or a function, by its name alone."""

    name: str
    """``module:Class``."""


class Made(Struct, eq=False):
    """What a call would make."""

    name: str
    """What is called, ``module:Class``; ``""`` for a part that is kept outside the pickle."""
    args: Value = ()
    state: Value = None
    items: dict[Value, Value] = {}
    """What is put into it after it has been made, by key."""


_MOST_OPCODES = 1 << 21
_MARK = object()


def read_pickles(data: bytes) -> Iterator[Value]:
    """Read the pickles that stand one after another in some bytes.

    Raises:
        NotRead: the bytes are no pickle, or are cut off.
    """
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        yield _Reader().read(stream)


class _Reader:
    """A machine with a stack and a memory, as the pickle protocol has it."""

    def __init__(self) -> None:
        self.stack: list[Value] = []
        self._memory: dict[int, Value] = {}

    def read(self, stream: IO[bytes]) -> Value:
        """Read one pickle."""
        try:
            for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
                if number > _MOST_OPCODES:
                    raise NotRead("it has too many parts")
                if opcode.name == "STOP":
                    break
                self._take(opcode, argument)
            return self.stack[-1]
        # Whatever is wrong with it: an unknown opcode, a missing operand, a key that cannot be one.
        except (
            ValueError,
            IndexError,
            KeyError,
            TypeError,
            AttributeError,
            EOFError,
            OverflowError,
        ) as error:
            raise NotRead(str(error)) from error

    def _take(self, opcode: pickletools.OpcodeInfo, argument: Value) -> None:
        name = opcode.name
        if (act := _ACTIONS.get(name)) is not None:
            act(self, argument)
        elif name in _PLAIN:
            self.stack.append(_PLAIN[name])
        # What is left are numbers and texts, which pickletools has read already.
        elif name not in _WITHOUT_EFFECT:
            self.stack.append(argument)

    def _pop_to_mark(self) -> list[Value]:
        items = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def mark(self, _: Value) -> None:
        """Mark a place on the stack."""
        self.stack.append(_MARK)

    def pop(self, _: Value) -> None:
        """Drop what is on top."""
        self.stack.pop()

    def pop_mark(self, _: Value) -> None:
        """Drop all down to the mark."""
        self._pop_to_mark()

    def duplicate(self, _: Value) -> None:
        """Put what is on top there twice."""
        self.stack.append(self.stack[-1])

    def gather(self, kind: Callable[[list[Value]], Value]) -> None:
        """Gather all down to the mark."""
        self.stack.append(kind(self._pop_to_mark()))

    def gather_some(self, count: int) -> None:
        """Gather a few into a tuple."""
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.stack.append(items)

    def append(self, _: Value) -> None:
        """Append to a list; an object that has its own way to append keeps none of it."""
        item = self.stack.pop()
        if isinstance(self.stack[-1], list):
            self.stack[-1].append(item)

    def extend(self, _: Value) -> None:
        """Append all down to the mark to a list."""
        items = self._pop_to_mark()
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def put_item(self, _: Value) -> None:
        """Put one item into a dict, or into an object that is one."""
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key, value])

    def put_items(self, _: Value) -> None:
        """Put all items down to the mark into a dict."""
        self._put(self._pop_to_mark())

    def _put(self, items: list[Value]) -> None:
        target = self.stack[-1]
        if isinstance(target, Made):
            target.items = target.items or {}
            target = target.items
        target.update(zip(items[::2], items[1::2], strict=True))

    def name(self, argument: str) -> None:
        """Name a class or a function."""
        module, _, name = argument.partition(" ")
        self.stack.append(Reference(f"{module}:{name}"))

    def name_from_stack(self, _: Value) -> None:
        """Name a class or a function by two texts."""
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(Reference(f"{module}:{name}"))

    def name_extension(self, argument: int) -> None:
        """Name what is registered by a number in the process that wrote the pickle."""
        self.stack.append(Reference(f"copyreg:extension {argument}"))

    def call(self, _: Value) -> None:
        """Write a call down."""
        args, function = self.stack.pop(), self.stack.pop()
        self.stack.append(Made(_find_name(function), args))

    def call_with_names(self, _: Value) -> None:
        """Write a call with arguments by keyword down."""
        kwargs, args, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(Made(_find_name(function), (args, kwargs)))

    def call_old(self, argument: str | None) -> None:
        """Write a call of the first protocols down, whose class stands in the opcode or after the mark."""
        items: list[Value] = self._pop_to_mark()
        function = Reference(argument.replace(" ", ":")) if argument else items.pop(0)
        self.stack.append(Made(_find_name(function), tuple(items)))

    def set_state(self, _: Value) -> None:
        """Note the state that is set on an object."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Made):
            self.stack[-1].state = state

    def keep(self, argument: int | None) -> None:
        """Remember what is on top."""
        place = len(self._memory) if argument is None else int(argument)
        self._memory[place] = self.stack[-1]

    def recall(self, argument: int) -> None:
        """Take what was remembered."""
        self.stack.append(self._memory[int(argument)])

    def refer(self, argument: str | None) -> None:
        """Refer to what is kept outside the pickle, as the numbers of tensors are."""
        self.stack.append(Made("", (argument if argument is not None else self.stack.pop(),)))


def _find_name(function: Value) -> str:
    # Older versions of torch keep the class of a module outside, with its source.
    if isinstance(function, Made) and not function.name and isinstance(function.args[0], tuple):
        function = next((part for part in function.args[0] if isinstance(part, Reference)), None)
    return function.name if isinstance(function, (Reference, Made)) else ""


def _make_dict(items: list[Value]) -> dict[Value, Value]:
    return dict(zip(items[::2], items[1::2], strict=True))


_PLAIN: dict[str, Value] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_WITHOUT_EFFECT = frozenset(("PROTO", "FRAME", "READONLY_BUFFER"))

_ACTIONS: dict[str, Callable[[_Reader, Value], None]] = {
    "MARK": _Reader.mark,
    "POP": _Reader.pop,
    "POP_MARK": _Reader.pop_mark,
    "DUP": _Reader.duplicate,
    "EMPTY_LIST": lambda reader, _: reader.stack.append([]),
    "EMPTY_DICT": lambda reader, _: reader.stack.append({}),
    "EMPTY_TUPLE": lambda reader, _: reader.stack.append(()),
    "EMPTY_SET": lambda reader, _: reader.stack.append([]),
    "LIST": lambda reader, _: reader.gather(list),
    "DICT": lambda reader, _: reader.gather(_make_dict),
    "TUPLE": lambda reader, _: reader.gather(tuple),
    "FROZENSET": lambda reader, _: reader.gather(tuple),
    "TUPLE1": lambda reader, _: reader.gather_some(1),
    "TUPLE2": lambda reader, _: reader.gather_some(2),
    "TUPLE3": lambda reader, _: reader.gather_some(3),
    "APPEND": _Reader.append,
    "APPENDS": _Reader.extend,
    "ADDITEMS": _Reader.extend,
    "SETITEM": _Reader.put_item,
    "SETITEMS": _Reader.put_items,
    "GLOBAL": _Reader.name,
    "STACK_GLOBAL": _Reader.name_from_stack,
    "EXT1": _Reader.name_extension,
    "EXT2": _Reader.name_extension,
    "EXT4": _Reader.name_extension,
    "REDUCE": _Reader.call,
    "NEWOBJ": _Reader.call,
    "NEWOBJ_EX": _Reader.call_with_names,
    "INST": _Reader.call_old,
    "OBJ": _Reader.call_old,
    "BUILD": _Reader.set_state,
    "PUT": _Reader.keep,
    "BINPUT": _Reader.keep,
    "LONG_BINPUT": _Reader.keep,
    "MEMOIZE": _Reader.keep,
    "GET": _Reader.recall,
    "BINGET": _Reader.recall,
    "LONG_BINGET": _Reader.recall,
    "PERSID": _Reader.refer,
    "BINPERSID": _Reader.refer,
    "NEXT_BUFFER": lambda reader, _: reader.refer("buffer"),
}
