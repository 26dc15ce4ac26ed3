"""The questions that people ask, each with the command that answers it."""

from __future__ import annotations

from question_forms import Asked as Asked
from question_forms import Question as Question
from question_forms import Sizes as Sizes
from questions_inside import INSIDE
from questions_layers import LAYERS
from questions_time import TIME
from questions_wrong import WRONG as WRONG

QUESTIONS = (*INSIDE, *TIME, *LAYERS)
