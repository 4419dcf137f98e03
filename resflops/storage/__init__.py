"""What goes to files and comes back: values as JSON, and files written whole or not at all."""

from resflops.storage.stored import SCHEMA_VERSION, Stored, blame_file, read_kind

__all__ = ["SCHEMA_VERSION", "Stored", "blame_file", "read_kind"]
