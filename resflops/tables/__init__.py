"""Lays values out as tables: what is shown, in what order, with which notes; ``render`` says how it looks.

There is one module for each kind of table. Here are the words of all of them.
"""

from resflops.tables.table import Check, Column, Figure, Kind, Note, Table

__all__ = ["Check", "Column", "Figure", "Kind", "Note", "Table"]
