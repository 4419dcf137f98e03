"""What an allocator makes of a pass's blocks: the rounding and the pools of torch's for CUDA, replayed.

Tensors request bytes. The caching allocator hands out blocks, which are larger, and cuts them from segments
that it reserves from the driver and keeps. Nothing here is estimated: it is the allocator's own rules, as of
c10/cuda/CUDACachingAllocator.cpp with its default settings, applied to the blocks in their order.
"""

from bisect import bisect_left, insort
from itertools import count

from msgspec import Struct

from resflops.peak_memory.records import BEFORE, Block, Memory

__all__ = ["AllocatorFigures", "CachingAllocator", "replay", "round_block", "round_segment"]

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
    """In segments, as ``torch.cuda.max_memory_reserved()`` says; what ``nvidia-smi`` shows, less the context."""


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

    Where the driver puts segments is not known. Here each lies behind the one that was reserved before it,
    which decides only between free parts of the same size.
    """

    def __init__(self) -> None:
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
        now = (self.requested, self.allocated, self.reserved)
        self._most = tuple(map(max, self._most, now))
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
        chunk = _Chunk(self.reserved, segment, small=size <= LARGEST_SMALL)
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
