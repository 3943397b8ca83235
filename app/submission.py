"""Accepting work: the only place where a picture becomes an asset and a job."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.addresses import Lookup, check_url, lookup
from app.admission import Admission, Singles
from app.db import (
    Sessions,
    audit,
    budgets,
    cache,
    events,
    intake,
    jobs,
    licences,
    presets,
    style_pictures,
    styles,
    tags,
)
from app.db.intake import NewJob
from app.db.models import Campaign
from app.db.moves import settle_budget
from app.db.styles import Look
from app.domain.events import CAMPAIGN_DEFAULT, JOB_DEFAULT, EventType
from app.domain.ids import new_id, new_ids
from app.domain.job import Lane
from app.domain.licence import Usage
from app.domain.pace import CostModel
from app.domain.parameters import Mask, Quality
from app.domain.requests import (
    CampaignItem,
    CampaignOptions,
    CampaignRequest,
    Input,
    JobOptions,
    MaskRequest,
    WebhookRequest,
)
from app.domain.tags import TagRules
from app.domain.terms import PLAIN, Terms
from app.errors import BudgetExceeded, ClientError, InvalidRequest, NotOffered, SourceForbidden
from app.outlook import Outlook
from app.planning import Recipe, pinned
from app.pressure import Pressure
from app.queue import Tickets
from app.quotas import Meter
from app.settings import Settings
from app.sources import Brought, MaskFile, Source, Sources, look_at, name_of
from app.storage import Storage
from app.tracing import OFF, Tracer, kept

NOTHING_SAID = Usage()
MAX_TICKETS = 4  #: claims woken by one campaign; each that finds more wakes another at once


@dataclass(frozen=True)
class Desk:
    """What accepting work takes; made once, by whoever starts the process."""

    settings: Settings
    sessions: Sessions
    storage: Storage
    tickets: Tickets
    stylizer: str  #: digest of the network this fleet runs
    outlook: Outlook = field(default_factory=Outlook)
    principal: str | None = None  #: prefix of the key of whoever stands before it
    lookup: Lookup = lookup  #: what asks for the addresses of a name
    meter: Meter | None = None  #: None: nobody's pictures are counted
    pressure: Pressure = field(default_factory=Pressure)
    singles: Singles = field(default_factory=Singles)
    tracer: Tracer = OFF

    @property
    def admission(self) -> Admission:
        """The quotas that whoever hands something in is held to."""
        return Admission(self.settings, self.outlook, self.singles, self.meter)

    def sources(
        self,
        session: Session,
        tenant_id: UUID,
        inputs: Iterable[Input],
        masks: Iterable[MaskRequest | None],
    ) -> Sources:
        """The inputs of one request, and its masks."""
        return Sources(
            session,
            self.storage,
            inputs,
            tenant_id=tenant_id,
            limits=self.settings.limits,
            allow_private=self.settings.allow_private_sources,
            buckets=self.settings.buckets,
            masks=masks,
        )

    def looks(
        self,
        session: Session,
        tenant_id: UUID,
        wishes: Iterable[str],
        quality: Quality,
        usage: Usage = NOTHING_SAID,
    ) -> dict[str, Look]:
        """
        What the wishes of one request mean, if their licences allow the use.

        Raises `UnknownStyle`, `InvalidRequest`, `StyleNotLicensed`, and for a print `NotOffered`
        or `NoStylePicture`.
        """
        looks = styles.resolve(session, wishes, stylizer=self.stylizer, tenant_id=tenant_id)
        parts = {part.id: part for look in looks.values() for part in look.parts}
        licences.check_new(session, tenant_id, parts.values(), usage)
        if quality is Quality.PRINT:
            self.check_offered()
            style_pictures.check(session, parts.values())
        return looks

    def check_pressure(self, session: Session, lane: Lane, quality: Quality) -> None:
        """Raises `Overloaded` while too much waits before what would wait in that lane."""
        model = self.outlook.model(session, self.settings)
        lane = Lane.PRINT if quality is Quality.PRINT else lane
        self.pressure.check(session, self.settings.pressure, model, lane)

    def check_offered(self) -> None:
        """Raises `NotOffered` where nobody would print or learn."""
        if not self.settings.optimizer.enabled:
            raise NotOffered(
                "No optimizer worker runs here: prints and learning need one "
                "(IMPASTO_OPTIMIZER__ENABLED, and the training extra)."
            )


def accept_picture(
    desk: Desk,
    tenant_id: UUID,
    options: JobOptions,
    content: bytes,
    mask: MaskFile | None = None,
) -> UUID:
    """
    Store a picture and queue it, in one transaction; its mask likewise.

    Raises `InvalidImage`, `ImageTooLarge`, `UnknownStyle` or `InvalidRequest`; nothing is
    stored or queued then.
    """
    limits = desk.settings.limits
    brought, pinned = [Brought(look_at(content, tenant_id=tenant_id, limits=limits), content)], None
    if mask is not None:
        brought.append(mask.looked_at(tenant_id, limits))
        pinned = Mask(digest=brought[1].asset.digest, feather=mask.feather)
    hook = kept_hook(desk, options.webhook, JOB_DEFAULT)
    with desk.sessions.begin() as session:
        desk.admission.foresee(session, tenant_id, 1)
        source = Source("body", brought[0].asset)
        job = _interactive(desk, session, tenant_id, options, source, pinned)
        with desk.tracer.step("storage.put"):
            desk.storage.put(*(one.blob for one in brought))
        if intake.add_assets(session, [one.asset for one in brought]):
            desk.storage.put(*(one.blob for one in brought))
        queue(desk, session, tenant_id, [job], hook, tags=options.tags, terms=options.terms)
        settle_known(session, [job], options.terms)
        desk.admission.admit(session, tenant_id, 1)
    wake(desk, session, [job.lane], 1)
    return job.id


def accept_input(desk: Desk, tenant_id: UUID, options: JobOptions, given: Input) -> UUID:
    """
    Queue the picture of an upload, or one behind a URL, in one transaction.

    Raises `UnknownUpload`, `SourceForbidden` or what `accept_picture` does.
    """
    hook = kept_hook(desk, options.webhook, JOB_DEFAULT)
    with desk.sessions.begin() as session:
        desk.admission.foresee(session, tenant_id, 1)
        sources = desk.sources(session, tenant_id, [given], [options.mask])
        mask = sources.mask(options.mask)
        job = _interactive(desk, session, tenant_id, options, sources.find(given), mask)
        queue(desk, session, tenant_id, [job], hook, tags=options.tags, terms=options.terms)
        settle_known(session, [job], options.terms)
        desk.admission.admit(session, tenant_id, 1)
    wake(desk, session, [job.lane], 1)
    return job.id


def accept_campaign(desk: Desk, tenant_id: UUID, request: CampaignRequest) -> UUID:
    """
    Queue every picture of a campaign under pinned style versions, in one transaction.

    A picture that cannot be used becomes a failed job and the others go on; what concerns them
    all (an unknown style, the common mask, an address we do not deliver to) refuses the whole.
    """
    outputs = request.all_outputs
    inputs = [item.input for item in outputs]
    masks = [request.mask, *(item.mask for item in outputs)]
    with desk.sessions.begin() as session:
        known = presets.known(
            session, tenant_id, [request.preset, *(one.preset for one in outputs)]
        )
        request, outputs = known.options(request), list(map(known.item, outputs))
        wishes = {request.look, *(item.style for item in outputs if item.style)}
        looks = desk.looks(session, tenant_id, wishes, request.quality, request.usage)
        desk.admission.foresee(session, tenant_id, len(outputs))
        sources = desk.sources(session, tenant_id, inputs, masks)
        look, mask = looks[request.look], sources.mask(request.mask)
        opened = open_campaign(desk, session, tenant_id, request, look, mask, len(outputs))
        planned, refused = plan_items(desk, request, outputs, looks, sources, opened)
        planned = queue_items(desk, session, request, opened, planned)
        for (code, detail), ids in refused.items():
            jobs.refuse(session, ids, code=code, detail=detail)
        settle_known(session, planned, request.terms)
        settle_budget(session, opened.campaign)
        desk.admission.admit(session, tenant_id, len(outputs))
        tell_accepted(desk, session, opened.campaign)
    wake(desk, session, {job.lane for job in planned if not job.unfunded}, len(planned))
    return opened.campaign.id


@dataclass(frozen=True)
class Opened:
    """A campaign that has its row, and what is the same for all of its items."""

    campaign: Campaign
    mask: Mask | None
    rules: TagRules
    model: CostModel


def open_campaign(
    desk: Desk,
    session: Session,
    tenant_id: UUID,
    request: CampaignOptions,
    look: Look,
    mask: Mask | None,
    total: int,
) -> Opened:
    """
    The row of a campaign, of which the rows of its jobs will be.

    Raises `Overloaded`, `BudgetExceeded` for a budget of nothing, `InvalidTags`, and
    `InvalidRequest` for a webhook that leads where we do not deliver.
    """
    check_budget(request.budget_micros)
    desk.check_pressure(session, Lane.CAMPAIGN, request.quality)
    rules = tags.rules(session, tenant_id)
    rules.check(request.tags)
    model = desk.outlook.model(session, desk.settings)
    campaign = Campaign(
        tenant_id=tenant_id,
        name=request.name,
        style_version_id=look.version.id,
        parameters=pinned(request.parameters, look, mask).model_dump(mode="json"),
        metadata_=request.metadata,
        tags=request.tags,
        principal=desk.principal,
        traceparent=kept(desk.tracer),
        webhook=kept_hook(desk, request.webhook, CAMPAIGN_DEFAULT),
        total=total,
        budget_micros=request.budget_micros,
        priority=request.priority,
    )
    session.add(campaign)
    session.flush()
    return Opened(campaign, mask, rules, model)


def queue_items(
    desk: Desk,
    session: Session,
    request: CampaignOptions,
    opened: Opened,
    planned: Sequence[NewJob],
) -> list[NewJob]:
    """Queue some of a campaign's jobs, as far as its budget pays for them."""
    campaign = opened.campaign
    planned = budgets.share_out(campaign, planned)
    session.flush()
    about: dict[str, Any] = {"campaign_id": campaign.id, "tags": campaign.tags}
    about["terms"] = request.terms
    queue(desk, session, campaign.tenant_id, planned, campaign.webhook, **about)
    return planned


def settle_known(session: Session, planned: Iterable[NewJob], terms: Terms) -> None:
    """End those whose picture was drawn before; of a campaign, once its total is known."""
    if shared := [job for job in planned if job.cache_key is not None]:
        singly = terms.review is not None or any(map(cache.framed, shared))
        cache.settle(session, [job.id for job in shared], singly=singly)


def wake(desk: Desk, session: Session, lanes: Iterable[Lane], jobs: int) -> None:
    """After the commit: workers for what waits, and senders for what has ended already."""
    for lane in lanes:
        desk.tickets.work(lane, tickets=min(MAX_TICKETS, ceil(jobs / 16)))
    if events.written(session):
        desk.tickets.deliver()


def check_budget(budget: int | None) -> None:
    """Raises `BudgetExceeded` for one that pays for nothing."""
    if budget == 0:
        raise BudgetExceeded("A budget of 0 pays for nothing; leave it out, or give one.")


def tell_accepted(desk: Desk, session: Session, campaign: Campaign) -> None:
    """One line in the audit log, however many pictures it has."""
    by = audit.actor(desk.principal)
    target, facts = f"campaign:{campaign.id}", {"items": campaign.total}
    about: dict[str, Any] = {"target": target, "details": facts}
    audit.record(session, campaign.tenant_id, by=by, action="campaign.accepted", **about)


def _interactive(
    desk: Desk,
    session: Session,
    tenant_id: UUID,
    options: JobOptions,
    source: Source,
    mask: Mask | None,
) -> NewJob:
    desk.check_pressure(session, Lane.INTERACTIVE, options.quality)
    options = presets.known(session, tenant_id, [options.preset]).options(options)
    wishes = [options.look]
    looks = desk.looks(session, tenant_id, wishes, options.quality, options.usage)
    look = looks[options.look]
    tags.rules(session, tenant_id).check(options.tags)
    parameters = pinned(options.parameters, look, mask)
    model = desk.outlook.model(session, desk.settings)
    about: dict[str, Any] = {"id": new_id(), "metadata": options.metadata}
    about["usage"] = options.usage.kept
    recipe = Recipe(desk.settings, Lane.INTERACTIVE, look.version, parameters, model)
    return recipe.job(source, **about)


def plan_items(
    desk: Desk,
    request: CampaignOptions,
    outputs: Sequence[CampaignItem],
    looks: dict[str, Look],
    sources: Sources,
    opened: Opened,
) -> tuple[list[NewJob], dict[tuple[str, str], list[UUID]]]:
    """A job for every output, and the ids of those that cannot be done, by code and reason."""
    planned: list[NewJob] = []
    refused: defaultdict[tuple[str, str], list[UUID]] = defaultdict(list)
    usage = request.usage.kept
    recipes = _Recipes(desk, request, looks, opened)
    for job_id, item in zip(new_ids(len(outputs)), outputs, strict=True):
        about: dict[str, Any] = {
            "id": job_id,
            "custom_id": item.custom_id,
            "metadata": item.metadata,
            "usage": usage,
        }
        try:
            recipe = recipes.of(item, sources.mask(item.mask) or opened.mask)
            source = sources.find(item.input)
            if item.tags:
                about["tags"] = request.tags | item.tags
                opened.rules.check(about["tags"])
            job = recipe.job(source, **about)
        except ClientError as error:
            refused[error.code, str(error)].append(job_id)
            nothing, about["tags"] = Source(name_of(item.input)), None
            job = recipes.of(item, opened.mask).job(nothing, **about)
        planned.append(job)
    return planned, refused


class _Recipes:
    """The recipes of a campaign's items: mostly one, so that it is written out once."""

    def __init__(
        self, desk: Desk, request: CampaignOptions, looks: dict[str, Look], opened: Opened
    ) -> None:
        self._desk, self._request, self._looks = desk, request, looks
        self._model = opened.model
        self._known: dict[tuple[Any, ...], Recipe] = {}

    def of(self, item: CampaignItem, mask: Mask | None) -> Recipe:
        key = (item.preset, item.style, item.strength, item.keep_colour, item.variation, mask)
        recipe = self._known.get(key)
        if recipe is None:
            look = self._looks[item.style or self._request.look]
            its = pinned(self._request.parameters_of(item), look, mask)
            lane, settings = Lane.CAMPAIGN, self._desk.settings
            recipe = self._known[key] = Recipe(settings, lane, look.version, its, self._model)
        return recipe


def queue(
    desk: Desk,
    session: Session,
    tenant_id: UUID,
    planned: Sequence[NewJob],
    hook: dict[str, Any] | None,
    campaign_id: UUID | None = None,
    tags: Mapping[str, str] | None = None,
    terms: Terms = PLAIN,
) -> None:
    """Write the jobs; who hands them in is held to quotas by `Desk.admission`, once all are."""
    desk.pressure.let_in(desk.outlook.model(session, desk.settings), planned)
    intake.add_jobs(
        session,
        planned,
        tenant_id=tenant_id,
        campaign_id=campaign_id,
        webhook=hook,
        rate_card=desk.settings.rate_card.name,
        tags=tags,
        principal=desk.principal,
        terms=terms,
        traceparent=kept(desk.tracer) if campaign_id is None else None,
    )


def kept_hook(
    desk: Desk, asked: WebhookRequest | None, default: Sequence[EventType]
) -> dict[str, Any] | None:
    """The webhook as it is kept with the work. Raises `InvalidRequest` for a forbidden address."""
    if asked is None:
        return None
    try:
        check_url(asked.url, allow_private=desk.settings.webhooks.allow_private)
    except SourceForbidden as error:
        reason = {"pointer": "/webhook/url", "detail": str(error)}
        raise InvalidRequest(f"webhook.url: {error}", errors=[reason]) from error
    return {"url": asked.url, "events": sorted(asked.events or default)}
