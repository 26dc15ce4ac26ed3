"""What is true of a cell and of a network, for people.

What is exported here needs no torch: counts, equations, differences and LaTeX are
functions of a cell's text and of its graph. `summary` and what it is made of run a
network: `facts` says what there is to say, `network` finds it out, `terminal` and
`page` show it. The room can be called: `cellwright.explain(module, x)` is the function
of `opened`.
"""

from . import called  # noqa: F401  # makes this room callable
from .bibliography import bibtex as bibtex
from .bibliography import cell_entries as cell_entries
from .cell_facts import facts_of_cell as facts_of_cell
from .counts import count_at as count_at
from .counts import formula as formula
from .counts import parameter_count as parameter_count
from .difference import difference as difference
from .equations import equations_view as equations_view
from .figures.figure import cell_figure as cell_figure
from .figures.figure import network_figure as network_figure
from .figures.layer_box import LayerBox as LayerBox
from .figures.layer_box import layer_box as layer_box
from .latex import latex as latex
