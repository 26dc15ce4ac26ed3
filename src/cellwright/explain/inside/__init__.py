"""What is inside of a network while it runs: gates, states, and their gradients.

This room imports torch, unlike the views of a cell beside it.
"""

from .horizons import Horizon as Horizon
from .horizons import StateHorizon as StateHorizon
from .looking_back import horizon as horizon
from .traces import LayerTrace as LayerTrace
from .traces import Traces as Traces
from .tracing import trace as trace
