"""Count the models that a command was given, and show progress while counting."""

import argparse
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from resflops.cli.progress import progress
from resflops.cli.status import CHECK_FAILED, DONE
from resflops.cli.streams import warn
from resflops.cost import Cost, check_prices_gradients
from resflops.errors import ModelError, ResflopsError, UsageError
from resflops.sources import SelectedModel, expand, find, select_models
from resflops.sources.stored_traces import find_stored_trace
from resflops.tables.comparison import Entry, Failed, build_entry

__all__ = ["CountedModels", "choose_status", "count_model", "count_models"]


class CountedModels(Struct, frozen=True, kw_only=True):
    """The outcome for each model, in the order in which the models were named."""

    results: tuple[Entry | Failed, ...]
    left: int = 0
    """How many models were not counted yet when Ctrl-C was pressed."""


def count_model(spec: str, args: argparse.Namespace) -> Entry:
    """Count the one model that a spec names.

    Raises:
        UsageError: the spec is a pattern that stands for several models.
        ResflopsError: the model could not be counted.
    """
    specs = expand(spec, fresh=args.fresh)
    if len(specs) > 1:
        raise UsageError(
            f"{spec!r} stands for {len(specs)} models, but only one can be given here; "
            f"name one, as in {specs[0]}"
        )
    (result,) = count_models(specs, args).results
    if isinstance(result, Entry):
        return result
    raise ModelError(result.reason)


def count_models(specs: Iterable[str], args: argparse.Namespace) -> CountedModels:
    """Count the models that specs and patterns name; one that is named twice is counted once.

    All specs and shapes are checked before torch is loaded. A model that was named by itself must be found
    and accept the input. A model of a pattern may fail, and the others are still counted. With a pattern,
    an interrupt keeps what has been counted.

    Raises:
        ResflopsError: a model that was named by itself, or every model, could not be counted.
        KeyboardInterrupt: Ctrl-C was pressed before anything was counted, or without a pattern.
    """
    if args.training:
        check_prices_gradients(args.convention)
    with progress(shown=not args.no_progress) as say:
        selected = select_models(
            specs, check=lambda spec: _check_named(spec, args), say=say, fresh=args.fresh
        )
        results: list[Entry | Failed] = []
        try:
            for result in _count(selected, args, say):
                results.append(result)  # noqa: PERF402 - an interrupt must find those before it
        except KeyboardInterrupt:
            if not any(one.by_pattern for one in selected) or not _has_counted(results):
                raise
    if not _has_counted(results):
        first = results[0]
        reason = first.reason if isinstance(first, Failed) else ""
        raise ModelError(f"none of {len(results)} models could be counted; the first: {reason}")
    return CountedModels(results=tuple(results), left=len(selected) - len(results))


def choose_status(costs: Iterable[Cost], args: argparse.Namespace) -> int:
    """Choose the exit status: with ``--strict``, an incomplete count is a failed check."""
    incomplete = [cost.model for cost in costs if not (cost.complete and _is_backward_complete(cost))]
    if not args.strict or not incomplete:
        return DONE
    warn(
        f"--strict: the count of {', '.join(incomplete)} is incomplete, because the ops listed "
        "have no rule; add rules with @resflops.rule"
    )
    return CHECK_FAILED


def _is_backward_complete(cost: Cost) -> bool:
    return cost.backward is None or cost.backward.complete


def _check_named(spec: str, args: argparse.Namespace) -> None:
    """Check a model that was named by its spec; one whose trace is stored has been checked by its count."""
    if args.fresh or args.nonzero or not find_stored_trace(spec, input_shape=args.input, dtype=None):
        find(spec).resolve_inputs(args.input)


def _count(
    selected: list[SelectedModel], args: argparse.Namespace, say: Callable[[str], None]
) -> Iterator[Entry | Failed]:
    from resflops.sources import counting

    requests = [
        counting.CountRequest(
            spec=one.spec,
            input_shape=args.input,
            convention=args.convention,
            backward=args.training,
            nonzero=args.nonzero,
            fresh=args.fresh,
        )
        for one in selected
    ]
    for one, outcome in zip(selected, counting.count_models(requests, say=say), strict=True):
        if not isinstance(outcome, ResflopsError):
            yield build_entry(outcome.found, outcome.cost, stored=outcome.stored)
        elif one.by_pattern:
            yield Failed(model=one.spec, reason=str(outcome))
        else:
            raise outcome


def _has_counted(results: list[Entry | Failed]) -> bool:
    return any(isinstance(result, Entry) for result in results)
