"""Exit codes of workers that end themselves: who starts them again can say why they went."""

import os
from typing import Final

HANGS: Final = os.EX_SOFTWARE  #: 70: an engine call did not return
MEMORY: Final = 81  #: out of memory, also with new sessions
DEVICE: Final = 82  #: the device is lost to this process
UNFIT: Final = 83  #: one job after the other broke

WORDS: Final = {
    HANGS: "its engine hangs",
    MEMORY: "out of memory for good",
    DEVICE: "its device is lost",
    UNFIT: "job after job broke",
}
