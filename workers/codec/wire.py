"""What a pool and its decoder children say to each other: one struct each way, pixels beside it."""

from enum import IntEnum
from struct import Struct
from typing import Final

#: Length of the content, longest side of the output (0: as it is).
REQUEST: Final = Struct("<QI")

#: An `Answer`, width, height and number of planes (3, or 4 with alpha); refusals add their text.
REPLY: Final = Struct("<BIIB")

MESSAGE: Final = 4096  #: bytes; one datagram holds a whole reply


class Answer(IntEnum):
    """How the decoding of one picture ended."""

    PIXELS = 0
    INVALID = 1
    TOO_LARGE = 2
    STARVED = 3  #: the picture wants more memory than a child may have
