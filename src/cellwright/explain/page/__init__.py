"""One self-contained page in which a network can be opened down to one product.

`payload` says what the page is told, `arrays` how its numbers travel, `html` puts both
into one file with what lies in ``assets``: plain JavaScript and a style sheet, nothing
that has to be built. The page computes every value itself, from what each layer was
given and from the equations.
"""
