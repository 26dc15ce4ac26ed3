"""Is it right? Gradients against differences, modules against cells, the tolerances."""
