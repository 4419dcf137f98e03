"""From a range of commits to the history of what models cost in it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from resflops.cost.convention import DEFAULT_CONVENTION
from resflops.gate.history.cache import FigureCache
from resflops.gate.history.commits import list_commits
from resflops.gate.history.configurations import plan_models
from resflops.gate.history.file_tree import FileTree, open_folders
from resflops.gate.history.pricing import Pricing
from resflops.gate.history.steps import History, build_history
from resflops.records import Shape

__all__ = ["price_range"]


def price_range(
    text: str,
    *,
    repository: Path,
    config: Path,
    models: Sequence[str] = (),
    input_shape: Shape | None = None,
    batch: int | None = None,
    convention: str = DEFAULT_CONVENTION,
    every: bool = False,
    workers: int = 2,
    time_limit: int | None = None,
    fresh: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> History:
    """Price models at the commits of a range. Ctrl-C ends it with the history of what is counted by then.

    Args:
        text: the range: ``A..B``, ``A...B`` or ``A``.
        repository: the top folder of the repository.
        config: the path of the configuration in the work tree, which need not exist.
        models: names of models in the configuration, or specs; if empty, all that some commit configures.
        input_shape: the shape of the input of models given by their specs; their usual one if None.
        batch: the batch of models given by their specs, in place of that of their input.
        convention: the convention of models given by their specs.
        every: whether to price the commits of merged branches as well.
        workers: how many processes may count at once.
        time_limit: after how many seconds to give up a figure; None for never.
        fresh: whether to count what is known, too.
        say: called with a line that says what is being done.

    Raises:
        RevisionError: git does not know the range, it has no commit, or a commit cannot be checked out.
        ConfigError: no commit configures a model, and none is named.
        UsageError: a name is neither configured at a commit nor a spec.
        KeyboardInterrupt: it was interrupted before there was a figure.
    """
    say("reading the commits")
    commits = list_commits(text, repository, every=every)
    with open_folders(repository) as folders:
        trees = [FileTree(commit.tree, folders) for commit in commits]
        plans = plan_models(
            trees,
            repository=repository,
            config=config,
            names=models,
            input_shape=input_shape,
            batch=batch,
            convention=convention,
        )
        pricing = Pricing(commits, trees, plans, cache=FigureCache(fresh=fresh), time_limit=time_limit)
        try:
            pricing.run(repository, workers=workers, say=say, fresh=fresh)
        except KeyboardInterrupt:
            if not pricing.figures:
                raise
    whole = text if ".." in text else f"{text}..HEAD"
    return build_history(whole, commits, plans, pricing.figures, every=every, counted=pricing.counted)
