"""Read a stranger's pickle within a budget: bytes that are there, a number of steps, and memory that follows from them."""

from typing import BinaryIO

from trainers.schema.pickled_objects import RefusedPickle

MAX_OPCODES = 1_500_000  # of a file; they take two seconds
LONGEST_LINE = 1 << 20  # bytes of a value that ends with a line
FREE = 96 << 20  # bytes of memory that any pickle may take, beside those that it holds itself


class PickleStream:
    """Serve the bytes of one file's pickles, and count their cost. A read of more than is there is refused."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size
        self._memory, self._opcodes = FREE + size, MAX_OPCODES

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        if size > self._left:
            raise RefusedPickle("the pickle is cut off, or gives a length that it does not have")
        found = self._file.read(size)
        self._left -= len(found)
        return found

    def readline(self) -> bytes:
        """Return the bytes up to the end of the line."""
        found = self._file.readline(LONGEST_LINE)
        self._left -= len(found)
        return found

    def step(self) -> None:
        """Count one opcode."""
        self._opcodes -= 1
        if self._opcodes < 0:
            raise RefusedPickle("the pickle is too long")

    def spend(self, memory: int) -> None:
        """Count bytes of memory."""
        self._memory -= memory
        if self._memory < 0:
            raise RefusedPickle("the pickle takes more memory than a checkpoint of its size needs")
