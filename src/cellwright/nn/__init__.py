"""Layers: any cell over time, and drop-ins for torch.nn's."""

from .carried import CarriedStates as CarriedStates
from .dropins import GRU as GRU
from .dropins import LSTM as LSTM
from .dropins import RNN as RNN
from .encoder_decoder import EncoderDecoder as EncoderDecoder
from .recurrent import Recurrent as Recurrent
from .stack import Stack as Stack
