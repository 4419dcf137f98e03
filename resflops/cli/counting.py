"""Count the models that a command was given, and show progress while counting."""

import argparse
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from resflops.cli.failures import make_all_failed_error
from resflops.cli.inputs import GivenInput, list_inputs, require_one_input
from resflops.cli.progress import progress
from resflops.cli.status import CHECK_FAILED, DONE
from resflops.cli.streams import warn
from resflops.cost import Cost, check_prices_gradients
from resflops.errors import ModelError, ResflopsError, UsageError
from resflops.sources import SelectedModel, expand, find, select_models
from resflops.sources.labels import split_label
from resflops.sources.lookup import split_models
from resflops.sources.stored_traces import find_stored_trace
from resflops.tables.comparison import Entry, Failed, build_entry

__all__ = ["CountedModels", "choose_status", "count_model", "count_models"]


class CountedModels(Struct, frozen=True, kw_only=True):
    """The outcome for each model on each input, in the order in which they were named."""

    results: tuple[Entry | Failed, ...]
    named: frozenset[str] = frozenset()
    """The models that were named by themselves rather than by a pattern."""
    left: int = 0
    """How many were not counted yet when Ctrl-C was pressed."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What could be counted."""
        return tuple(result for result in self.results if isinstance(result, Entry))

    @property
    def failures(self) -> tuple[Failed, ...]:
        """What could not be counted though it was named by itself."""
        return tuple(
            result for result in self.results if isinstance(result, Failed) and result.model in self.named
        )


def count_model(spec: str, args: argparse.Namespace) -> Entry:
    """Count the one model that a spec names, on one input.

    Raises:
        UsageError: the spec is a pattern that stands for several models, or several inputs are given.
        ResflopsError: the model could not be counted.
    """
    require_one_input(args)
    label, unlabelled = split_label(spec)
    specs = [each for one in split_models(unlabelled) for each in expand(one, fresh=args.fresh)]
    if len(specs) > 1:
        raise UsageError(
            f"{spec!r} stands for {len(specs)} models, but only one can be given here; "
            f"name one, as in {specs[0]}"
        )
    (result,) = count_models([f"{label}={specs[0]}"] if label else specs, args).results
    if isinstance(result, Entry):
        return result
    raise ModelError(result.reason)


def count_models(specs: Iterable[str], args: argparse.Namespace) -> CountedModels:
    """Count the models that specs and patterns name, on each input; one that is named twice is counted once.

    A model that fails is a row that says so, and the others are still counted. All specs and shapes are
    checked before torch is loaded. With a pattern, an interrupt keeps what has been counted.

    Raises:
        ModelError: not one model could be counted; the message has the reasons.
        KeyboardInterrupt: Ctrl-C was pressed before anything was counted, or without a pattern.
    """
    if args.training:
        check_prices_gradients(args.convention)
    with progress(shown=not args.no_progress) as say:
        selected = select_models(specs, say=say, fresh=args.fresh)
        named = frozenset(one.name for one in selected if not one.by_pattern)
        tasks = [_check(one, given, args) for one in selected for given in list_inputs(args)]
        results: list[Entry | Failed] = []
        try:
            for result in _count(tasks, args, say):
                results.append(result)  # noqa: PERF402 - an interrupt must find those before it
        except KeyboardInterrupt:
            if not any(one.by_pattern for one in selected) or not _has_counted(results):
                raise
    if not _has_counted(results):
        raise make_all_failed_error(
            [each.reason for each in results if isinstance(each, Failed)],
            by_pattern=any(one.by_pattern for one in selected),
            verb="could be counted",
        )
    return CountedModels(results=tuple(results), named=named, left=len(tasks) - len(results))


def choose_status(costs: Iterable[Cost], args: argparse.Namespace, *, failed: bool = False) -> int:
    """Choose the exit status: a model that could not be counted is a failed check.

    With ``--strict``, an incomplete count is one, too.
    """
    incomplete = [cost.model for cost in costs if not (cost.complete and _is_backward_complete(cost))]
    if not args.strict or not incomplete:
        return CHECK_FAILED if failed else DONE
    warn(
        f"--strict: the count of {', '.join(incomplete)} is incomplete, because the ops listed "
        "have no rule; add rules with @resflops.rule"
    )
    return CHECK_FAILED


def _is_backward_complete(cost: Cost) -> bool:
    return cost.backward is None or cost.backward.complete


class _Task(Struct, frozen=True, kw_only=True):
    """A model to count on an input, or the reason why it cannot be."""

    model: SelectedModel
    given: GivenInput
    error: ResflopsError | None


def _check(one: SelectedModel, given: GivenInput, args: argparse.Namespace) -> _Task:
    """Check a model that was named by its spec; one whose trace is stored has been checked by its count.

    A model of a pattern is not looked at yet, for there may be a thousand.
    """
    error = one.error
    if error is None and not one.by_pattern:
        try:
            if (
                args.fresh
                or args.nonzero
                or not find_stored_trace(one.spec, input_shape=given.shape, dtype=None)
            ):
                found = find(one.spec)
                found.resolve_inputs(found.complete_shape(given.shape, given.batch))
        except ResflopsError as refused:
            error = refused
    return _Task(model=one, given=given, error=error)


def _count(
    tasks: list[_Task], args: argparse.Namespace, say: Callable[[str], None]
) -> Iterator[Entry | Failed]:
    from resflops.sources import counting

    outcomes = counting.count_models(
        [
            counting.CountRequest(
                spec=task.model.spec,
                name=task.model.label,
                input_shape=task.given.shape,
                batch=task.given.batch,
                convention=args.convention,
                backward=args.training,
                nonzero=args.nonzero,
                fresh=args.fresh,
            )
            for task in tasks
            if task.error is None
        ],
        say=say,
    )
    for task in tasks:
        outcome = task.error or next(outcomes)
        if isinstance(outcome, ResflopsError):
            yield Failed(
                model=task.model.name,
                reason=str(outcome),
                input_shape=task.given.shape,
                spec=task.model.spec,
            )
        else:
            label = task.model.label
            yield build_entry(outcome.found, outcome.cost, stored=outcome.stored, label=label)


def _has_counted(results: list[Entry | Failed]) -> bool:
    return any(isinstance(result, Entry) for result in results)
