"""Reports and pictures: markdown pages, their pictures, and a page to explore models in."""
