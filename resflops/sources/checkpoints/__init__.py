"""Files that hold weights or a pickled model: what is in them, read without loading them."""
