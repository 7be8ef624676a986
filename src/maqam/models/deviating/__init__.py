"""What families of the common seam do in a way of their own."""
