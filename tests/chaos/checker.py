"""The verdict on a run: every invariant looked at, and what was found counted."""

from dataclasses import dataclass

from tests.chaos.findings import Evidence, Finding
from tests.chaos.invariants import INVARIANTS

SHOWN = 5  #: findings of one kind that are spelt out


@dataclass(frozen=True)
class Verdict:
    """All findings of one run."""

    findings: list[Finding]

    @property
    def lost(self) -> int:
        """Accepted work that did not end as it should, was not kept, or was not told."""
        return sum(finding.invariant in ("I1", "I2", "I3", "I6 lost") for finding in self.findings)

    @property
    def doubled(self) -> int:
        """Effects that are there more than once, or not by whoever had the right."""
        return sum(
            finding.invariant in ("I4", "I5", "I6 doubled", "I7", "ledger", "counts")
            for finding in self.findings
        )

    def __str__(self) -> str:
        by_kind: dict[str, list[str]] = {}
        for finding in self.findings:
            by_kind.setdefault(finding.invariant, []).append(finding.sentence)
        lines = []
        for kind, sentences in by_kind.items():
            lines += [f"{kind}: {sentence}" for sentence in sentences[:SHOWN]]
            if len(sentences) > SHOWN:
                lines.append(f"{kind}: and {len(sentences) - SHOWN} more")
        return "\n".join(lines) or "nothing to complain about"


def check(evidence: Evidence) -> Verdict:
    """Look at everything."""
    findings: list[Finding] = []
    with evidence.sessions() as session:
        for look in INVARIANTS:
            findings += look(evidence, session)
    return Verdict(findings)
