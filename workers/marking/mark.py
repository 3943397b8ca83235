"""What an output says of itself: from the job's facts to a C2PA manifest. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import app
from app.credentials import CONTENT, FILTERED, RENDER, STYLE
from app.domain import mix
from app.domain.mix import Mix
from app.domain.parameters import Parameters

#: IPTC: a photograph with elements that a trained network made.
COMPOSITE: Final = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
TRANSCODED: Final = "c2pa.transcoded"
AGENT: Final = {"name": "Impasto", "version": app.__version__}


@dataclass(frozen=True, slots=True)
class StyleFacts:
    """One style as its card tells of it; what a card does not say is None."""

    pin: str  #: `great-wave@1`, as its owner calls it
    title: str | None = None
    artist: str | None = None
    spdx: str | None = None
    licensor: str | None = None
    evidence: str | None = None

    @classmethod
    def of(cls, pin: str, card: Mapping[str, Any]) -> "StyleFacts":
        """From a card, whatever version of it: this much every one of ours says."""
        licence = card.get("licence") or {}
        licensor = licence.get("licensor")
        return cls(
            pin=pin,
            title=card.get("title"),
            artist=card.get("artist"),
            spdx=licence.get("spdx"),
            licensor=None if (licensor or "").startswith("none") else licensor,  # "none: public …"
            evidence=licence.get("evidence"),
        )

    @property
    def credit(self) -> str:
        """Whose look it is, in a line."""
        return ", ".join(part for part in (self.title or self.pin, self.artist) if part)

    @property
    def terms(self) -> str:
        """Under which licence, and from whom."""
        return ", ".join(part for part in (self.spdx, self.licensor) if part)


@dataclass(frozen=True, slots=True)
class Mark:
    """
    All that an output says. Digests are SHA-256, in hex.

    Without a `stylizer` nothing was drawn (the null engine), and nothing is claimed.
    """

    media_type: str
    style: str  #: pinned: one version, or the shares of several
    styles: tuple[StyleFacts, ...]  #: all that took part
    stylizer: str | None
    content: str  #: digest of the content picture
    content_type: str | None = None
    parameters: Parameters = field(default_factory=Parameters)
    render_key: str | None = None

    @property
    def source_type(self) -> str | None:
        """IPTC's word for what it is; the null engine leaves a photograph what it was."""
        return COMPOSITE if self.stylizer else None

    @property
    def render(self) -> dict[str, Any]:
        """What draws it again."""
        facts = {
            "style": self.style,
            "parameters": self.parameters.model_dump(mode="json", exclude={"mix"}),
            "content_sha256": self.content,
            "stylizer_sha256": self.stylizer,
            "render_key": self.render_key,
        }
        return {name: value for name, value in facts.items() if value is not None}


def style_text(styles: Sequence[StyleFacts], shares: Mix | None) -> str:
    """As a caller would ask for it again: one version, or the shares of several, in their order."""
    if not shares:
        return styles[0].pin
    return mix.text({one.pin: share for one, share in zip(styles, shares.values(), strict=True)})


def manifest(mark: Mark, content: dict[str, Any] | None = None) -> dict[str, Any]:
    """
    What c2pa signs: opened, then filtered through the styles.

    `content` describes the content picture where its own credentials do not come along.
    """
    styles = {f"style-{number}": facts for number, facts in enumerate(mark.styles)}
    drawn = styles if mark.stylizer else {}
    ingredients = [_style(label, facts) for label, facts in drawn.items()]
    return {
        "format": mark.media_type,
        "claim_generator_info": [AGENT],
        "ingredients": [*ingredients, *([content] if content else [])],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [_action(mark, list(drawn))]}},
            {"label": RENDER, "data": mark.render},
        ],
    }


def _action(mark: Mark, labels: list[str]) -> dict[str, Any]:
    if not mark.stylizer:
        return {"action": TRANSCODED, "softwareAgent": AGENT}
    return {
        "action": FILTERED,
        "description": "neural style transfer",
        "digitalSourceType": COMPOSITE,
        "softwareAgent": AGENT,
        "parameters": {"ingredientIds": labels},
    }


def _style(label: str, facts: StyleFacts) -> dict[str, Any]:
    named: dict[str, Any] = {
        "title": facts.pin,
        "relationship": STYLE,
        "label": label,
        "description": "; ".join(part for part in (facts.credit, facts.terms) if part),
    }
    if (facts.evidence or "").startswith(("https://", "http://")):
        named["informational_URI"] = facts.evidence
    return named


def content_ingredient(mark: Mark, note: str | None = None) -> dict[str, Any]:
    """The content picture by its digest; `note` says what became of its own credentials."""
    named: dict[str, Any] = {
        "title": "content",
        "relationship": CONTENT,
        "instance_id": f"sha256:{mark.content}",
    }
    if mark.content_type:
        named["format"] = mark.content_type
    return named | ({"description": note} if note else {})
