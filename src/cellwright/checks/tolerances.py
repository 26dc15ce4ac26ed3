"""The table of tolerances, which rooms below the checks read too."""

from cellwright.tolerances import OWN_ERRORS as OWN_ERRORS
from cellwright.tolerances import OWN_REPLAYS as OWN_REPLAYS
from cellwright.tolerances import STANDARD_ERRORS as STANDARD_ERRORS
from cellwright.tolerances import TOLERANCES as TOLERANCES
from cellwright.tolerances import Tolerance as Tolerance
from cellwright.tolerances import error as error
from cellwright.tolerances import kernel_bound as kernel_bound
from cellwright.tolerances import replay_bound as replay_bound
