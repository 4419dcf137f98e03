"""Counting the models that a command was given, with a word to who waits."""

import argparse
import sys
from collections.abc import Iterable

from msgspec import Struct

from resflops.cli.progress import progress
from resflops.cli.status import CHECK_FAILED, DONE
from resflops.cli.wanted import Wanted, wanted_models
from resflops.cost import Cost, check_prices_gradients
from resflops.cost.convention import convention
from resflops.errors import ModelError, ResflopsError, UsageError
from resflops.sources import expand, find
from resflops.tables import Entry, Failed, entry

__all__ = ["Counted", "counted", "counted_one", "status_of"]


class Counted(Struct, frozen=True, kw_only=True):
    """What became of the models, in the order in which they were named."""

    results: tuple[Entry | Failed, ...]
    left: int = 0
    """How many were not counted yet when Ctrl-C came."""


def counted_one(spec: str, given: argparse.Namespace) -> Cost:
    """The cost of the one model that a spec names.

    Raises:
        UsageError: it is a pattern, and stands for several.
        ResflopsError: as of ``counted``.
    """
    named = expand(spec)
    if len(named) > 1:
        raise UsageError(
            f"{spec!r} stands for {len(named)} models, and one is wanted here; name one, as in {named[0]}"
        )
    (result,) = counted(named, given).results
    if isinstance(result, Entry):
        return result.cost
    raise ModelError(result.reason)


def counted(specs: Iterable[str], given: argparse.Namespace) -> Counted:
    """Count the models that specs and patterns name; one that is named twice is counted once.

    All specs and shapes are checked before torch is loaded. A model that the user named
    must be there and take the input; of those that a pattern named, the rest goes on, and
    an interrupt keeps what has been counted.

    Raises:
        ResflopsError: a model that was named by itself, or every model, could not be counted.
        KeyboardInterrupt: before anything was counted, or without a pattern.
    """
    if _with_backward(given):
        check_prices_gradients(convention(given.convention))
    with progress(shown=not given.no_progress) as say:
        wanted = wanted_models(specs, check=lambda model: model.called_with(given.input), say=say)
        results: list[Entry | Failed] = []
        try:
            if "torch" not in sys.modules:
                say("loading torch")
            import resflops.sources.counting  # noqa: F401 - slow, and said so

            for number, one in enumerate(wanted, start=1):
                say(f"counting {one.spec} ({number} of {len(wanted)})")
                results.append(_result(one, given))
        except KeyboardInterrupt:
            if not any(one.of_pattern for one in wanted) or not _some(results):
                raise
    if not _some(results):
        first = results[0]
        reason = first.reason if isinstance(first, Failed) else ""
        raise ModelError(f"none of {len(results)} models could be counted; the first: {reason}")
    return Counted(results=tuple(results), left=len(wanted) - len(results))


def status_of(costs: Iterable[Cost], given: argparse.Namespace) -> int:
    """The exit status: with ``--strict``, an incomplete count is a check that failed."""
    lacking = [cost.model for cost in costs if not (cost.complete and _backward_complete(cost))]
    if not given.strict or not lacking:
        return DONE
    sys.stderr.write(
        f"resflops: --strict: {', '.join(lacking)} incomplete, for want of a rule for the ops listed; "
        "give them one with @resflops.rule\n"
    )
    return CHECK_FAILED


def _with_backward(given: argparse.Namespace) -> bool:
    # Not every command that counts can show a backward pass.
    return bool(getattr(given, "training", False))


def _backward_complete(cost: Cost) -> bool:
    return cost.backward is None or cost.backward.complete


def _result(one: Wanted, given: argparse.Namespace) -> Entry | Failed:
    from resflops.sources.counting import count_found

    try:
        found = find(one.spec)
        cost = count_found(
            found,
            input_shape=given.input,
            convention=given.convention,
            backward=_with_backward(given),
            nonzero=bool(getattr(given, "nonzero", False)),
        )
        return entry(found, cost)
    except ResflopsError as error:
        if not one.of_pattern:
            raise
        return Failed(model=one.spec, reason=str(error))


def _some(results: list[Entry | Failed]) -> bool:
    return any(isinstance(result, Entry) for result in results)
