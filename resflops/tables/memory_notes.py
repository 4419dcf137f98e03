"""What is said under a table of memory: where the peak is, what fits, what is included and what is not."""

from collections.abc import Iterable, Sequence

from resflops.errors import pluralize
from resflops.peak_memory.allocator import describe_allocator
from resflops.peak_memory.fitting import Fit
from resflops.peak_memory.records import Memory
from resflops.peak_memory.sizes import format_size
from resflops.tables.table import Figure, Note

__all__ = [
    "describe_step",
    "describe_way",
    "note_failures_to_fit",
    "note_fit",
    "note_interrupt",
    "note_method",
    "note_peak",
    "note_units",
    "note_what_must_fit",
]

MOST_NAMES = 6
"""Layers that a note names."""

PHASES = {"forward": "the forward pass", "backward": "the backward pass", "optimizer": "the optimiser's step"}


def describe_way(memory: Memory) -> str:
    """Describe how models are run, without what is usual."""
    parts = ["a training step" if memory.training else "inference"]
    parts += [f"with {memory.optimizer}"] if memory.optimizer else []
    parts += [f"{memory.dtype} by autocast" if memory.autocast else memory.dtype]
    parts += ["checkpointing"] if memory.checkpointing else []
    parts += [f"{memory.attention} attention"] if memory.attention else []
    return ", ".join([*parts, f"kernels of {'a GPU' if memory.device == 'cuda' else 'the CPU'}"])


def describe_step(memory: Memory, number: int) -> str:
    """Describe a step: which op, of which layer, in which part of the pass.

    >>> from resflops.peak_memory.records import Step
    >>> step = Step(op="convolution_backward", layer="conv1", phase="backward")
    >>> describe_step(Memory(model="Net", inputs=(), steps=(step,), blocks=()), 0)
    'convolution_backward of conv1 in the backward pass'
    """
    step = memory.steps[number]
    return f"{step.op} of {step.layer or 'the model itself'} in {PHASES[step.phase]}"


def note_peak(memory: Memory, name: str) -> Note:
    """Note the peak in both units, and the op and the layer at it."""
    sizes = {
        "model": Figure("text", name),
        "peak": Figure("text", format_size(memory.peak)),
        "above": Figure("text", format_size(memory.above_weights)),
    }
    text = "{model} needs {peak} at its peak, {above} of it above its weights"
    if not memory.steps:
        return Note(text=f"{text}; no op of it takes memory.", figures=sizes)
    return Note(
        text=f"{text}. The peak is at {{step}}, op {{number}} of {{count}} that take memory.",
        figures={
            **sizes,
            "step": Figure("text", describe_step(memory, memory.peak_step)),
            "number": Figure("count", memory.peak_step + 1),
            "count": Figure("count", len(memory.steps)),
        },
        qualifies=True,
    )


def note_fit(model: str, fit: Fit) -> Note:
    """Note the largest batch that fits, what it leaves, and what one sample more would lack."""
    return Note(
        text="{model}: a batch of {batch} fits into {limit} and leaves {left}; one of {next} would need "
        "{more} more than that.",
        figures={
            "model": Figure("text", model),
            "batch": Figure("count", fit.batch),
            "next": Figure("count", fit.batch + 1),
            "limit": Figure("text", format_size(fit.limit)),
            "left": Figure("text", format_size(fit.limit - fit.needs)),
            "more": Figure("text", format_size(fit.next_needs - fit.limit)),
        },
        qualifies=True,
    )


def note_failures_to_fit(fits: Iterable[tuple[str, Fit]]) -> tuple[Note, ...]:
    """Note the models of which not even one sample fits; their rows show what one needs."""
    return tuple(
        Note(
            text="{model}: not even a batch of 1 fits into {limit}, since it needs {more} more than that.",
            figures={
                "model": Figure("text", model),
                "limit": Figure("text", format_size(fit.limit)),
                "more": Figure("text", format_size(fit.needs - fit.limit)),
            },
            qualifies=True,
        )
        for model, fit in fits
        if not fit.batch
    )


def note_what_must_fit(memories: Iterable[Memory]) -> tuple[Note, ...]:
    """Note which figure is compared with the limit on a GPU, and what comes on top of it."""
    if not any(memory.device == "cuda" for memory in memories):
        return ()
    return (
        Note(
            text="What must fit is what is allocated. Segments that are reserved and free are given back "
            "where memory is short, but not gaps inside them. Those, and what is not included, come on top.",
            qualifies=True,
        ),
    )


def note_units() -> Note:
    """Note the units, which programs need not know: they get bytes."""
    return Note(
        text="KiB, MiB and GiB go in steps of 1024, KB, MB and GB in steps of 1000.", audience="people"
    )


def note_interrupt(left: int) -> Note:
    """Note that models are missing."""
    were = "was" if left == 1 else "were"
    return Note(
        text=f"Interrupted: {{left}} more {pluralize('model', left)} {were} not run.",
        figures={"left": Figure("count", left)},
        qualifies=True,
    )


def note_method(memories: Sequence[Memory]) -> tuple[Note, ...]:
    """Note what the figures include and what they do not, once for all that say the same."""
    sentences = dict.fromkeys(
        sentence
        for memory in memories
        for sentence in (
            METHODS[memory.method],
            *([KEPT] if memory.training else []),
            *describe_allocator(memory.device),
            *_list_assumptions(memory),
        )
    )
    return tuple(
        Note(text="{sentence}", figures={"sentence": Figure("text", sentence)}) for sentence in sentences
    )


METHODS = {
    "shapes": "Exact by tensor, from a pass on shapes in which nothing was computed.",
    "real": "Exact by tensor, from a pass that was run on the CPU.",
    "trace": "Estimated by rules from a trace, without a pass.",
}

KEPT = (
    "Activations kept are what the forward pass has made and the backward pass needs; temporary is what is "
    "made and released again, such as the gradients of activations."
)


def _list_assumptions(memory: Memory) -> tuple[str, ...]:
    """List what was assumed, in sentences."""
    notes = [f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in memory.notes]
    if memory.checkpointing:
        notes.append(f"Checkpointed: {_list_some(memory.checkpointing)}.")
    return tuple(notes)


def _list_some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"
