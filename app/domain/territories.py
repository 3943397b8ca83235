"""The countries and areas that a licence may name: ISO 3166-1 alpha-2, all 249 of them."""

import re
from itertools import groupby
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from typing_extensions import TypeAliasType

_ALL: Final = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ "
    "BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM "
    "DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS "
    "GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN "
    "KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ "
    "MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV "
    "SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI "
    "VN VU WF WS YE YT ZA ZM ZW "
)
CODES: Final = frozenset(re.findall("[A-Z]{2}", _ALL))

#: What people write and the standard has under another name.
_MEANT: Final = {"UK": "GB", "EL": "GR"}


def _is_a_code(text: str) -> str:
    if text in CODES:
        return text
    hint = f"; write {_MEANT[text]}" if text in _MEANT else ", such as DE or US"
    raise ValueError(f"{text[:8]!r} is no ISO 3166-1 alpha-2 code{hint}")


_BY_LETTER: Final = groupby(sorted(CODES), key=lambda code: code[0])
_ONE: Final = "|".join(f"{one}[{''.join(code[1] for code in codes)}]" for one, codes in _BY_LETTER)

#: One entry of the document, and not 249 words in each place.
Territory = TypeAliasType(
    "Territory",
    Annotated[
        str,
        StringConstraints(strip_whitespace=True, to_upper=True),
        AfterValidator(_is_a_code),
        WithJsonSchema({"type": "string", "pattern": f"^(?:{_ONE})$", "examples": ["DE"]}),
    ],
)
#: Several as one text, as forms and people write them.
TerritoryText = TypeAliasType(
    "TerritoryText",
    Annotated[
        str, Field(pattern=f"^(?:{_ONE})(?:,(?:{_ONE})){{0,248}}$", examples=["DE", "DE,AT"])
    ],
)
