"""Ways to run a graph. Each backend is a folder with the same rooms."""
