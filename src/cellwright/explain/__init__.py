"""What is true of a cell, for people: counts, equations, differences, LaTeX, pictures.

No torch: every view is a function of the cell's text and of its graph.
"""

from .bibliography import bibtex as bibtex
from .bibliography import cell_entries as cell_entries
from .counts import count_at as count_at
from .counts import formula as formula
from .counts import parameter_count as parameter_count
from .difference import difference as difference
from .equations import equations_view as equations_view
from .facts import facts as facts
from .figures.figure import cell_figure as cell_figure
from .figures.figure import network_figure as network_figure
from .figures.layer_box import LayerBox as LayerBox
from .figures.layer_box import layer_box as layer_box
from .latex import latex as latex
