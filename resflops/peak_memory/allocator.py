"""What an allocator makes of the blocks of a pass: it rounds them, and reserves segments to cut them from.

The rules are those of torch's caching allocator for CUDA (c10/cuda/CUDACachingAllocator.cpp, with its usual
settings): a block is rounded up to 512 bytes; blocks of at most 1 MiB are cut from segments of 2 MiB,
larger ones below 10 MiB from segments of 20 MiB, and all others have a segment of their own, rounded up to
2 MiB, unless a free piece of one is large enough. Of the free pieces the smallest that is large enough is
taken, and free neighbours are joined.
"""

from bisect import insort

from msgspec import Struct

from resflops.peak_memory.records import BEFORE, Memory

__all__ = ["AllocatorFigures", "CachingAllocator", "describe_allocator", "replay", "round_up"]

GRAIN = 512
SMALL = 1 << 20
SMALL_SEGMENT = 2 << 20
LARGE_SEGMENT = 20 << 20
OWN_SEGMENT = 10 << 20
SEGMENT_GRAIN = 2 << 20


class AllocatorFigures(Struct, frozen=True, kw_only=True):
    """The peaks of one pass, in bytes."""

    requested: int
    """What the tensors need."""
    allocated: int
    """The same with each block rounded up."""
    reserved: int
    """What the allocator has taken from the device for them."""


def round_up(size: int, grain: int) -> int:
    """Round a size up to a multiple of a grain."""
    return -(-size // grain) * grain


class _Piece:
    """A piece of a segment, in use or free, between its neighbours."""

    __slots__ = ("after", "before", "order", "size", "small", "used")

    def __init__(self, size: int, order: int, *, small: bool) -> None:
        self.size, self.order, self.small, self.used = size, order, small, False
        self.before: _Piece | None = None
        self.after: _Piece | None = None


class CachingAllocator:
    """Takes and releases blocks as torch's allocator for CUDA does, without a device."""

    def __init__(self) -> None:
        self.allocated = self.reserved = 0
        self._orders = 0
        self._free: dict[bool, list[tuple[int, int, _Piece]]] = {True: [], False: []}

    def take(self, size: int) -> _Piece:
        """Take a block."""
        size = round_up(max(size, 1), GRAIN)
        small = size <= SMALL
        free = self._free[small]
        place = next((n for n, (has, _, _) in enumerate(free) if has >= size), None)
        piece = self._reserve(size, small=small) if place is None else free.pop(place)[2]
        left = piece.size - size
        # Of a large piece, a rest is cut off only if it is larger than any small block.
        if left >= GRAIN if small else left > SMALL:
            rest = _Piece(left, self._count(), small=small)
            rest.before, rest.after = piece, piece.after
            if piece.after is not None:
                piece.after.before = rest
            piece.after, piece.size = rest, size
            self._give(rest)
        piece.used = True
        self.allocated += piece.size
        return piece

    def release(self, piece: _Piece) -> None:
        """Release a block, and join it with free neighbours."""
        self.allocated -= piece.size
        piece.used = False
        for neighbour in (piece.before, piece.after):
            if neighbour is None or neighbour.used:
                continue
            self._free[piece.small].remove((neighbour.size, neighbour.order, neighbour))
            piece.size += neighbour.size
            if neighbour is piece.before:
                piece.before = neighbour.before
                if piece.before is not None:
                    piece.before.after = piece
                piece.order = neighbour.order
            else:
                piece.after = neighbour.after
                if piece.after is not None:
                    piece.after.before = piece
        self._give(piece)

    def _give(self, piece: _Piece) -> None:
        insort(self._free[piece.small], (piece.size, piece.order, piece), key=lambda each: each[:2])

    def _reserve(self, size: int, *, small: bool) -> _Piece:
        if small:
            segment = SMALL_SEGMENT
        else:
            segment = LARGE_SEGMENT if size < OWN_SEGMENT else round_up(size, SEGMENT_GRAIN)
        self.reserved += segment
        return _Piece(segment, self._count(), small=small)

    def _count(self) -> int:
        self._orders += 1
        return self._orders


def replay(memory: Memory) -> AllocatorFigures:
    """Replay the blocks of a pass, in their order, to a caching allocator.

    Returns:
        The peaks. What is reserved is an estimate: it depends on what ran before.
    """
    allocator = CachingAllocator()
    ends: dict[int, list[_Piece]] = {}
    begins: dict[int, list[int]] = {}
    dies: dict[int, list[int | None]] = {}
    for block in memory.blocks:
        begins.setdefault(block.born, []).append(block.size)
        dies.setdefault(block.born, []).append(block.died)
    most = 0
    for step in range(BEFORE, max(len(memory.steps), 1)):
        for piece in ends.pop(step, ()):
            allocator.release(piece)
        for size, died in zip(begins.get(step, ()), dies.get(step, ()), strict=True):
            piece = allocator.take(size)
            if died is not None:
                ends.setdefault(died, []).append(piece)
        most = max(most, allocator.allocated)
    return AllocatorFigures(requested=memory.peak, allocated=most, reserved=allocator.reserved)


def describe_allocator(device: str) -> tuple[str, ...]:
    """Say what the figures include of an allocator and of kernels, and what they leave out."""
    workspace = "Not included: what kernels take for themselves while they run"
    if device == "cuda":
        return (
            "Allocated: each tensor rounded up to 512 bytes. Reserved, an estimate: the segments of at least "
            "2 MiB that torch's allocator cuts them from, if it begins with none.",
            f"{workspace} (workspace of cuDNN; cuBLAS keeps 8 MiB, on Hopper 32 MiB, for each handle and "
            "stream) and the CUDA context of some hundred MiB.",
        )
    return (f"{workspace}, such as reordered copies of a convolution's input and weight by oneDNN.",)
