"""What there is to draw: one module a picture, each with the data that it shows and the drawing of them."""
