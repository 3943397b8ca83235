"""From rows to answers."""

from app.api.shown.campaigns import affected_shown, campaign_shown, eta
from app.api.shown.costs import cost_shown, parts_shown
from app.api.shown.jobs import (
    job_shown,
    provenance_shown,
    rendition_provenance,
    review_shown,
    reviewed_shown,
)
from app.api.shown.styles import card_shown, style_shown

__all__ = [
    "affected_shown",
    "campaign_shown",
    "card_shown",
    "cost_shown",
    "eta",
    "job_shown",
    "parts_shown",
    "provenance_shown",
    "rendition_provenance",
    "review_shown",
    "reviewed_shown",
    "style_shown",
]
