"""Networks that people ask about, a readable file each: neurons that spike."""

from .cortex import cortex as cortex
from .cortex import thalamus as thalamus
from .errors import SpikeError as SpikeError
from .neurons import IZHIKEVICH_TYPES as IZHIKEVICH_TYPES
from .neurons import izhikevich as izhikevich
from .raster import raster as raster
from .spikes import first_spikes as first_spikes
from .spikes import intervals as intervals
from .spikes import rates as rates
from .spikes import spectrum as spectrum
from .spikes import spike_times as spike_times
from .stdp import STDP as STDP
from .stdp import Traces as Traces
