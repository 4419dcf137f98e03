"""What a forward has yet to compute as it returns: generators, map objects, coroutines and futures in it.

Whoever calls the model goes on to read them, and what they run then is the model's work as well. So they are
read to their end while the recorder still listens. What a submodule leaves unread costs nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import fields, is_dataclass
from inspect import isgeneratorfunction
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from resflops.errors import TraceError

__all__ = ["complete_results"]

_MOST = 10_000
"""How many results an iterator may give. Nothing tells whether it would ever end."""


def complete_results(value: Any, given: Any) -> Any:
    """Give what a model's result holds, in lists, after all that it has yet to compute was computed.

    Args:
        value: what the forward returned.
        given: the model's arguments. An iterator of the caller's that is handed back is left as it is.

    Raises:
        TraceError: an iterator did not end, or a coroutine needs the event loop that is running.
    """
    # The usual case, for which nothing need be rebuilt.
    if isinstance(value, torch.Tensor):
        return value
    return _complete(value, {id(leaf) for leaf in tree_leaves(given)}, ())


def _complete(value: Any, left: set[int], within: tuple[int, ...]) -> Any:
    """Complete what a container holds, or what is to be computed; give other values as they are."""
    if isinstance(value, _PLAIN) or id(value) in left or id(value) in within:
        return value
    for kind, wait in _WAITS:
        if isinstance(value, kind):
            return _complete(wait(value), left, (*within, id(value)))
    if isinstance(value, Mapping):
        items: Iterable[Any] = value.values()
    elif isinstance(value, list | tuple | set | frozenset | deque):
        items = value
    elif isinstance(value, Iterator) or _is_lazy(value):
        items = _limit(value)
    elif is_dataclass(value) and not isinstance(value, type):
        items = [getattr(value, field.name) for field in fields(value) if hasattr(value, field.name)]
    else:
        return value
    return [_complete(item, left, (*within, id(value))) for item in items]


def _is_lazy(value: Any) -> bool:
    """Whether a value is no container and has an ``__iter__`` that computes one result after the other."""
    cls = type(value)
    return isgeneratorfunction(getattr(cls, "__iter__", None)) and not hasattr(cls, "__len__")


def _limit(items: Iterable[Any]) -> Iterator[Any]:
    for number, item in enumerate(items):
        if number == _MOST:
            raise _make_endless_error(items)
        yield item


def _make_endless_error(items: object) -> TraceError:
    return TraceError(
        f"the forward pass returned a {type(items).__name__} that had not ended after {_MOST:,} results; "
        "let the model take only as many as are to be counted, with itertools.islice for one"
    )


async def _wait_for(value: Awaitable[Any]) -> Any:
    return await value


async def _collect(items: AsyncIterator[Any]) -> list[Any]:
    results: list[Any] = []
    async for item in items:
        if len(results) == _MOST:
            raise _make_endless_error(items)
        results.append(item)
    return results


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, in an event loop of its own."""
    if asyncio._get_running_loop() is None:
        # With a factory, since a runner without one leaves the thread without the event loop that it had.
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return runner.run(coroutine)
    # A loop cannot run within a loop, as in a notebook. A coroutine that awaits nothing but the model's own
    # needs none.
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise TraceError(
        "the forward pass is a coroutine that waits for an event loop, and the caller's own is running in "
        "this thread; count the model in another thread, with asyncio.to_thread for one"
    )


_PLAIN = (torch.Tensor, nn.Module, str, bytes, int, float, complex, type(None))
_WAITS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (Future, lambda future: future.result()),
    (torch.futures.Future, lambda future: future.wait()),
    (Awaitable, lambda awaitable: _run(_wait_for(awaitable))),
    (AsyncIterator, lambda items: _run(_collect(items))),
)
"""Ways to wait for a value that is computed elsewhere or later."""
