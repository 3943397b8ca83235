"""Who needs a stored picture: the condition that everything is asked under before it goes."""

from typing import Final

#: Statuses that have not ended, each as the partial index that has its rows says it.
_OPEN: Final = (
    "jobs.status = 'queued' AND NOT jobs.paused AND NOT jobs.unfunded",
    "jobs.status = 'queued' AND jobs.unfunded",
    "jobs.status = 'queued' AND jobs.paused",
    "jobs.status = 'running'",
    "jobs.status = 'in_review'",
)

_ENDED: Final = """
EXISTS (SELECT FROM jobs WHERE jobs.tenant_id = asset.tenant_id
    AND content_digest = asset.digest AND finished_at IS NOT NULL
    AND jobs.erased_at IS NULL AND finished_at >= CAST(:contents AS timestamptz))
OR EXISTS (SELECT FROM jobs WHERE jobs.tenant_id = asset.tenant_id
    AND output_digest = asset.digest AND jobs.erased_at IS NULL
    AND (finished_at IS NULL OR finished_at >= CAST(:outputs AS timestamptz)))
OR EXISTS (SELECT FROM renditions JOIN jobs ON jobs.id = renditions.job_id
    WHERE renditions.tenant_id = asset.tenant_id AND renditions.digest = asset.digest
    AND jobs.erased_at IS NULL
    AND (finished_at IS NULL OR finished_at >= CAST(:outputs AS timestamptz)))
OR EXISTS (SELECT FROM jobs WHERE jobs.tenant_id = asset.tenant_id
    AND parameters ? 'mask' AND parameters #>> '{mask,digest}' = asset.digest
    AND jobs.erased_at IS NULL
    AND (finished_at IS NULL OR finished_at >= CAST(:contents AS timestamptz)))
OR EXISTS (SELECT FROM style_versions JOIN styles USING (slug)
    WHERE styles.tenant_id = asset.tenant_id
    AND (preview_digest = asset.digest OR card #>> '{style_image,sha256}' = asset.digest))
"""

_CONTENT: Final = """
OR EXISTS (SELECT FROM jobs WHERE jobs.tenant_id = asset.tenant_id
    AND content_digest = asset.digest AND {status})
"""

_SAME: Final = """
OR EXISTS (SELECT FROM jobs JOIN jobs AS made USING (tenant_id, render_key)
    WHERE tenant_id = asset.tenant_id AND made.output_digest = asset.digest AND {status})
"""

_SAME_RENDITION: Final = """
OR EXISTS (SELECT FROM renditions JOIN jobs AS made ON made.id = renditions.job_id
    JOIN jobs ON jobs.tenant_id = made.tenant_id AND jobs.render_key = made.render_key
    WHERE renditions.tenant_id = asset.tenant_id AND renditions.digest = asset.digest
    AND {status})
"""

#: Whether a row of assets, as `asset`, is needed: by a job that has not ended, by one whose end
#: is not older than `:contents` (its content and mask) or `:outputs`, or by a style. A job that
#: is about to draw the same picture again needs that, too. One probe of an index for each way.
USED: Final = _ENDED + "".join(
    way.replace("{status}", status)
    for way in (_CONTENT, _SAME, _SAME_RENDITION)
    for status in _OPEN
)
