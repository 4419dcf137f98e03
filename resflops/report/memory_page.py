"""One page about the memory of a pass: what is in use at each step, and what each layer holds then.

The page holds every step and every block, so that all that is shown, at any step, follows from what
:class:`Memory` has; nothing is rounded before it is written.
"""

from typing import Any

from resflops.peak_memory.records import KINDS, Memory
from resflops.peak_memory.sizes import format_size
from resflops.render.formats import format_note, format_value
from resflops.report.standalone import render_standalone
from resflops.tables.memory import HEADINGS, summarize_memory
from resflops.tables.memory_notes import PHASES, describe_step, describe_way

__all__ = ["render_memory_page"]

SCRIPTS = ("drawing.js", "memory_data.js", "memory_chart.js", "memory_page.js")
"""In an order in which each finds what it needs from the start."""
STYLES = ("explorer.css", "memory.css")


def render_memory_page(memory: Memory) -> str:
    """Render the page about the memory of one pass, the step at its peak chosen first."""
    given = format_value("shapes", tuple(given.shape for given in memory.inputs))
    way = describe_way(memory)
    table = summarize_memory(memory)
    return render_standalone(
        "memory.html.jinja",
        scripts=SCRIPTS,
        styles=STYLES,
        data=_build_data(memory),
        title=f"What memory {memory.model} needs",
        way=f"{way}, input {given}" if given else way,
        peak=format_size(memory.peak),
        above=format_size(memory.above_weights),
        place=describe_step(memory, memory.peak_step) if memory.steps else "",
        kinds=[
            (kind, HEADINGS[kind]) for kind in KINDS if any(block.kind == kind for block in memory.blocks)
        ],
        steps=max(len(memory.steps), 1),
        peak_step=memory.peak_step,
        notes=[format_note(note) for note in table.notes[1:] if note.audience != "programs"],
    )


def _build_data(memory: Memory) -> dict[str, Any]:
    """Build what the scripts read: a column for each field, and each text once."""
    texts: dict[str, int] = {}

    def place(text: str) -> int:
        return texts.setdefault(text, len(texts))

    steps = {
        "op": [place(step.op) for step in memory.steps],
        "layer": [place(step.layer) for step in memory.steps],
        "phase": [list(PHASES).index(step.phase) for step in memory.steps],
    }
    blocks = {
        "size": [block.size for block in memory.blocks],
        "kind": [KINDS.index(block.kind) for block in memory.blocks],
        "layer": [place(block.layer) for block in memory.blocks],
        "name": [place(block.name) for block in memory.blocks],
        "born": [block.born for block in memory.blocks],
        "died": [block.died for block in memory.blocks],
    }
    return {
        "model": memory.model,
        "kinds": [{"name": kind, "heading": HEADINGS[kind]} for kind in KINDS],
        "phases": list(PHASES.values()),
        "peakStep": memory.peak_step,
        "steps": steps,
        "blocks": blocks,
        "texts": list(texts),
    }
