"""The models of a sweep: from specs and patterns, and from search spaces that make them one by one.

A search space is a function or an iterable of the user's own, such as ``space.py:candidates``. It is gone
through only as far as models are counted, so it may have millions.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from types import ModuleType
from typing import Any

from msgspec import Struct

from resflops.errors import ResflopsError, UsageError
from resflops.sources import Spec, parse_spec, select_models
from resflops.sources.labels import split_label

__all__ = ["Candidate", "Candidates"]


class Candidate(Struct, frozen=True, kw_only=True):
    """One model, or the reason for which there is none."""

    name: str
    spec: str = ""
    """Its spec; ``""`` if something else makes it."""
    make: Any = None
    """A function without arguments that makes it, or a module; None if a spec names it."""
    source: str = ""
    """The search space that it comes from; ``""`` if the user named it."""
    named: bool = False
    """Whether the user named it by itself."""
    error: ResflopsError | None = None


class Candidates:
    """The models that the user gave, listed as they are asked for, each time in the same order."""

    def __init__(self, given: Iterable[object], *, say: Callable[[str], None], fresh: bool = False) -> None:
        """Take what the user gave.

        Args:
            given: specs, patterns and search spaces by their names; or modules, functions that make one, and
                pairs of a name and any of these. It is gone through once.
            say: is called with a line about what is being looked for.
            fresh: whether to list the models of a pattern's source even if a list of them is stored.
        """
        self.modules: list[str] = []
        """The places of the search spaces: modules and files."""
        self.total: int | None = None
        """How many there are; None if a search space is among them, which does not say."""
        self._say, self._fresh = say, fresh
        self._given = [given] if isinstance(given, str) else given
        self._imported: dict[str, ModuleType | None] = {}

    def __iter__(self) -> Iterator[Candidate]:
        """List them.

        Raises:
            UsageError: something is no model.
            ResflopsError: a search space cannot be found, or failed.
        """
        given = self._given
        if isinstance(given, list | tuple) and all(
            isinstance(each, str) and self._find_space(each) is None for each in given
        ):
            listed = list(self._select(given))
            self.total = len(listed)
            yield from listed
            return
        # Texts in a row are selected together: one that is named twice is counted once.
        place = 0
        for is_text, items in groupby(given, lambda each: isinstance(each, str)):
            if is_text:
                yield from self._list_texts(str(each) for each in items)
                continue
            for item in items:
                yield _read_item(item, "", place)
                place += 1

    def _list_texts(self, texts: Iterable[str]) -> Iterator[Candidate]:
        # No two search spaces are equal, so that each is a group of its own.
        for space, group in groupby(texts, self._find_space):
            if space is None:
                yield from self._select(group)
                continue
            (text,) = group
            for place, item in enumerate(_go_through(text, space)):
                yield _read_item(item, text, place)

    def _select(self, texts: Iterable[str]) -> Iterator[Candidate]:
        for one in select_models(texts, say=self._say, fresh=self._fresh):
            yield Candidate(name=one.name, spec=one.spec, named=not one.by_pattern, error=one.error)

    def _find_space(self, text: str) -> "Callable[[], Iterable[object]] | None":
        """Find the search space that a text names, ready to be called; None if it names something else."""
        try:
            spec = parse_spec(split_label(text)[1])
        except ResflopsError:
            return None
        place, colon, attribute = spec.name.rpartition(":")
        if not colon or not place or not attribute.isidentifier():
            return None
        found = inspect.getattr_static(self._import(place, spec), attribute, None)
        if not _is_space(found):
            return None
        if place not in self.modules:
            self.modules.append(place)
        return (lambda: found(**spec.values())) if callable(found) else lambda: found

    def _import(self, place: str, spec: Spec) -> ModuleType | None:
        # Each once: a file that runs again makes other classes of the same names, which cannot be pickled.
        if place not in self._imported:
            from resflops.sources.origins.factory import import_code

            try:
                self._imported[place] = import_code(place, spec)
            except ResflopsError:
                # What is wrong with it is said by the row of a model.
                self._imported[place] = None
        return self._imported[place]


_ITERABLE = re.compile(r"(?:[\w.]+\.)?(?:Iterator|Iterable|Generator|Sequence|Collection|list|List)\b")
"""What a function is annotated with that gives candidates rather than a model."""


def _is_space(found: object) -> bool:
    if inspect.isgeneratorfunction(found):
        return True
    if inspect.isfunction(found):
        gives = found.__annotations__.get("return", "")
        name = gives if isinstance(gives, str) else str(gives).removeprefix("<class '")
        # A tuple would be a model with its inputs.
        return bool(_ITERABLE.match(name))
    # A torch.nn.Sequential can be iterated over, but is a model.
    return isinstance(found, Iterable) and not hasattr(found, "forward") and not isinstance(found, str | type)


def _go_through(text: str, space: Callable[[], Iterable[object]]) -> Iterator[object]:
    """Go through a search space; what it raises is blamed on it.

    Raises:
        UsageError: it takes other arguments, or raised an error.
    """
    try:
        yield from space()
    except ResflopsError:
        raise
    except Exception as error:
        raise UsageError(
            f"the search space {text} raised {type(error).__name__}: {error}; what it gave before is kept"
        ) from error


def _name_made(made: object) -> str:
    """Name a module by its class, and a function by its name; ``""`` if it has none."""
    if hasattr(made, "forward"):
        return type(made).__name__
    name = str(getattr(made, "__name__", ""))
    return name if name.isidentifier() else ""


def _read_item(item: object, source: str, place: int) -> Candidate:
    """Read what a search space or a caller gives as a model.

    Raises:
        UsageError: it is no model.
    """
    name, made = f"{source}[{place}]" if source else f"model {place}", item
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
        name, made = item
    if isinstance(made, str | os.PathLike):
        spec = os.fspath(made)
        return Candidate(name=name if made is not item else spec, spec=spec, source=source)
    if callable(made):
        if made is item and not source:
            name = _name_made(made) or name
        return Candidate(name=name, make=made, source=source)
    raise UsageError(
        f"{source or 'the models'}: item {place} is of the type {type(item).__name__}; give a spec, a "
        "function that makes a model, a torch.nn.Module, or a pair of a name and one of these"
    )
