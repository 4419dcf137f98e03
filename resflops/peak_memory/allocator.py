"""What an allocator makes of a pass's blocks: the rounding and the pools of torch's for CUDA, replayed.

Tensors request bytes. The caching allocator hands out blocks, which are larger, and cuts them from segments
that it reserves from the driver and keeps. Nothing here is estimated: it is the allocator's own rules, as of
c10/cuda/CUDACachingAllocator.cpp with its default settings, applied to the blocks in their order.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from resflops.peak_memory.records import BEFORE, Block, Memory
from resflops.peak_memory.workspaces import Workspace

__all__ = [
    "AllocatorFigures",
    "CachingAllocator",
    "describe_allocator",
    "replay",
    "round_block",
    "round_segment",
]

SMALLEST_BLOCK = 512
"""Every block is a multiple of this many bytes (kMinBlockSize)."""
LARGEST_SMALL = 1 << 20
"""The largest block of the small pool (kSmallSize); a larger rest of a large block is cut off."""
SMALL_SEGMENT = 2 << 20
"""What small blocks are cut from (kSmallBuffer)."""
LARGE_SEGMENT = 20 << 20
"""What blocks above 1 and below 10 MiB are cut from (kLargeBuffer)."""
OWN_SEGMENT = 10 << 20
"""From this size on a block that finds no place gets a segment of its own (kMinLargeAlloc)."""
SEGMENT_STEP = 2 << 20
"""The size of such a segment is a multiple of this (kRoundLarge)."""


class AllocatorFigures(Struct, frozen=True, kw_only=True):
    """The most bytes that are in use at once, by three ways to look at them."""

    requested: int
    """As tensors need them: ``requested_bytes.all.peak`` of ``torch.cuda.memory_stats()``."""
    allocated: int
    """In blocks, as ``torch.cuda.max_memory_allocated()`` says."""
    reserved: int
    """In segments, as ``torch.cuda.max_memory_reserved()`` says. ``nvidia-smi`` shows the context, too."""


def round_block(size: int) -> int:
    """Round a request up to the size of its block."""
    return max(-(-size // SMALLEST_BLOCK), 1) * SMALLEST_BLOCK


def round_segment(size: int) -> int:
    """Find the size of the segment that is reserved for a block that finds no place."""
    if size <= LARGEST_SMALL:
        return SMALL_SEGMENT
    if size < OWN_SEGMENT:
        return LARGE_SEGMENT
    return -(-size // SEGMENT_STEP) * SEGMENT_STEP


class _Chunk:
    """A part of a segment, in use or free, with its neighbours there."""

    __slots__ = ("address", "after", "before", "free", "requested", "size", "small")

    def __init__(self, address: int, size: int, *, small: bool) -> None:
        self.address, self.size, self.small = address, size, small
        self.free, self.requested = False, 0
        self.before: _Chunk | None = None
        self.after: _Chunk | None = None


class CachingAllocator:
    """Torch's caching allocator on one stream: best fit, free neighbours merged, segments kept.

    Args:
        segments: where the driver puts segments, one after the other. It decides only between free parts of
            the same size. Where it is not known, each lies behind the one that was reserved before it.
    """

    def __init__(self, segments: Iterable[int] = ()) -> None:
        self._addresses = iter(segments)
        self.requested = self.allocated = self.reserved = 0
        self._most = (0, 0, 0)
        self._chunks: dict[int, _Chunk] = {}
        # The free chunks of the large and of the small pool, by size and then by address.
        self._free: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])

    @property
    def peaks(self) -> AllocatorFigures:
        """The most that was in use so far."""
        requested, allocated, reserved = self._most
        return AllocatorFigures(requested=requested, allocated=allocated, reserved=reserved)

    def reset_peaks(self) -> None:
        """Forget what was in use before."""
        self._most = (self.requested, self.allocated, self.reserved)

    def take(self, size: int) -> int:
        """Hand out a block for a request, and return its address."""
        rounded = round_block(size)
        chunk = self._find(rounded) or self._reserve(rounded)
        rest = chunk.size - rounded
        if rest >= SMALLEST_BLOCK if chunk.small else rest > LARGEST_SMALL:
            self._cut(chunk, rounded)
        chunk.free, chunk.requested = False, size
        self.requested += size
        self.allocated += chunk.size
        requested, allocated, reserved = self._most
        self._most = (
            max(requested, self.requested), max(allocated, self.allocated), max(reserved, self.reserved)
        )  # fmt: skip
        return chunk.address

    def release(self, address: int) -> None:
        """Take a block back, and merge it with its neighbours as far as they are free."""
        chunk = self._chunks[address]
        self.requested -= chunk.requested
        self.allocated -= chunk.size
        if chunk.after is not None and chunk.after.free:
            self._unlist(chunk.after)
            self._merge(chunk, chunk.after)
        if chunk.before is not None and chunk.before.free:
            self._unlist(chunk.before)
            chunk = self._merge(chunk.before, chunk)
        chunk.free = True
        insort(self._free[chunk.small], (chunk.size, chunk.address))

    def _find(self, size: int) -> _Chunk | None:
        """Find the smallest free chunk that a block fits into."""
        free = self._free[size <= LARGEST_SMALL]
        place = bisect_left(free, (size, 0))
        return self._chunks[free.pop(place)[1]] if place < len(free) else None

    def _reserve(self, size: int) -> _Chunk:
        """Reserve a segment from the driver."""
        segment = round_segment(size)
        # No chunk touches one of another segment, so that each begins a segment or has one before it.
        address = next(self._addresses, self.reserved)
        chunk = _Chunk(address, segment, small=size <= LARGEST_SMALL)
        self.reserved += segment
        self._chunks[chunk.address] = chunk
        return chunk

    def _cut(self, chunk: _Chunk, size: int) -> None:
        """Leave so many bytes to a chunk, and make a free one of the rest."""
        rest = _Chunk(chunk.address + size, chunk.size - size, small=chunk.small)
        rest.before, rest.after, rest.free = chunk, chunk.after, True
        if rest.after is not None:
            rest.after.before = rest
        chunk.after, chunk.size = rest, size
        self._chunks[rest.address] = rest
        insort(self._free[rest.small], (rest.size, rest.address))

    def _unlist(self, chunk: _Chunk) -> None:
        free = self._free[chunk.small]
        del free[bisect_left(free, (chunk.size, chunk.address))]

    def _merge(self, chunk: _Chunk, after: _Chunk) -> _Chunk:
        """Make one chunk of two that touch."""
        chunk.size += after.size
        chunk.after = after.after
        if chunk.after is not None:
            chunk.after.before = chunk
        del self._chunks[after.address]
        return chunk


def replay(memory: Memory, *, passes: int = 2, workspaces: Sequence[Workspace] = ()) -> AllocatorFigures:
    """Replay the blocks of a pass to a caching allocator that has reserved nothing before.

    The first pass differs from the later ones: the optimiser's state is taken after its backward pass, from
    segments in which activations have lain. So more than one pass is replayed, as a training loop runs them,
    which releases the gradients of the last one first.

    Args:
        memory: the pass.
        passes: how many of them.
        workspaces: what libraries take and keep, each at its step of the first pass.

    Returns:
        The peaks of the last pass. The first figure is exactly what the tensors need; the others follow by
        the allocator's rules.
    """
    allocator = CachingAllocator()
    late = next((n for n, step in enumerate(memory.steps) if step.phase == "optimizer"), BEFORE)
    kept = defaultdict[int, list[int]](list)
    passing = defaultdict[int, list[Block]](list)
    for block in memory.blocks:
        if block.born == BEFORE and block.died is None:
            kept[late if block.kind == "optimizer" else BEFORE].append(block.size)
        elif block.died is None or block.died > block.born:
            passing[block.born].append(block)
    for workspace in workspaces:
        kept[workspace.step].append(workspace.size)
    for number in range(passes):
        allocator.reset_peaks()
        _replay_pass(allocator, passing, {} if number else kept, steps=len(memory.steps))
    return allocator.peaks


def _replay_pass(
    allocator: CachingAllocator, passing: dict[int, list[Block]], kept: dict[int, list[int]], *, steps: int
) -> None:
    """Replay one pass: its blocks by the steps that take them, and what is taken there for good."""
    dying = defaultdict[int, list[int]](list)
    for step in range(BEFORE, steps + 1):
        for address in dying.pop(step, ()):
            allocator.release(address)
        for block in passing.get(step, ()):
            # What outlives a pass, such as a gradient, makes room as the next one begins.
            died = steps + 1 if block.died is None else block.died
            dying[died].append(allocator.take(block.size))
        for size in kept.get(step, ()):
            allocator.take(size)
    for address in dying.pop(steps + 1, ()):
        allocator.release(address)


def describe_allocator(device: str) -> tuple[str, ...]:
    """Say what the figures include of an allocator and of kernels, and what they leave out."""
    if device != "cuda":
        return (
            "Included: each tensor as it is, not rounded. Not included: what kernels take for themselves, "
            "such as oneDNN's reordered copies of a convolution's input and weight.",
        )
    return (
        "Allocated, by the rules of torch's caching allocator: each tensor in a block of a multiple of 512 "
        "bytes, or in a larger one that is not split. Reserved, by the same rules: the segments of 2 MiB, "
        "20 MiB or more that blocks are cut from, after two passes of a process that has run nothing else.",
        "Not included: the workspace of cuDNN's convolutions, which is released after each of them (about "
        "5 % of the peak at most on an H200, but 36 % in inference of VGG-19); that of cuBLAS, which stays "
        "(32 MiB on Hopper and Blackwell, 8.1 MiB on other GPUs, for the forward pass and again for the "
        "backward pass, and 1 MiB for layers with a bias); the CUDA context.",
    )
