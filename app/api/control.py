"""Work under way, steered: paused, resumed, put first or last, tried again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api import campaign_answer, job_answer, schemas
from app.api.deps import KEYED, Principal, TenantId, TheDesk
from app.api.problems import documented
from app.db import audit, budgets, control, events
from app.domain.job import Lane
from app.errors import (
    BudgetExceeded,
    IllegalTransition,
    InvalidRequest,
    NotFound,
    QueueFull,
    QuotaExceeded,
)
from app.submission import MAX_TICKETS, Desk, check_budget

router = APIRouter(prefix="/v1", **KEYED)

REFUSALS = documented(NotFound, IllegalTransition)
AGAIN = documented(NotFound, IllegalTransition, QuotaExceeded, QueueFull)
Wanted = Annotated[schemas.PriorityRequest, Body(examples=[{"priority": 5}])]
WORDED = documented(NotFound, IllegalTransition, InvalidRequest)


@router.post(
    "/campaigns/{campaign_id}/pause",
    tags=["campaigns"],
    response_model=schemas.Campaign,
    summary="Begin nothing more of a campaign",
    responses=REFUSALS,
)
def pause_campaign(
    desk: TheDesk, tenant_id: TenantId, by: Principal, campaign_id: UUID
) -> Response:
    """What runs is finished; deadlines still count. Doing it twice does nothing more."""
    with desk.sessions.begin() as session:
        if control.pause(session, tenant_id, campaign_id):
            _tell(session, tenant_id, by, "campaign.paused", campaign_id)
    return campaign_answer.shown(desk, tenant_id, campaign_id)


@router.post(
    "/campaigns/{campaign_id}/resume",
    tags=["campaigns"],
    response_model=schemas.Campaign,
    summary="Go on with a paused campaign",
    responses=REFUSALS,
)
def resume_campaign(
    desk: TheDesk, tenant_id: TenantId, by: Principal, campaign_id: UUID
) -> Response:
    """Doing it twice does nothing more."""
    with desk.sessions.begin() as session:
        lanes = control.resume(session, tenant_id, campaign_id)
        if lanes is not None:
            _tell(session, tenant_id, by, "campaign.resumed", campaign_id)
    _wake(desk, lanes or set(), told=False)
    return campaign_answer.shown(desk, tenant_id, campaign_id)


@router.post(
    "/campaigns/{campaign_id}/priority",
    tags=["campaigns"],
    response_model=schemas.Campaign,
    summary="Put a campaign before or behind what else of yours waits",
    responses=WORDED,
)
def prioritise_campaign(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    campaign_id: UUID,
    wanted: Wanted,
) -> Response:
    """Among tenants nothing changes: each has its turn."""
    with desk.sessions.begin() as session:
        control.prioritise_campaign(session, tenant_id, campaign_id, wanted.priority)
        facts = wanted.model_dump()
        _tell(session, tenant_id, by, "campaign.prioritised", campaign_id, **facts)
    return campaign_answer.shown(desk, tenant_id, campaign_id)


@router.post(
    "/campaigns/{campaign_id}/budget",
    tags=["campaigns"],
    response_model=schemas.Campaign,
    summary="Give a campaign another budget",
    responses=documented(NotFound, IllegalTransition, InvalidRequest, BudgetExceeded),
)
def set_budget(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    campaign_id: UUID,
    wanted: Annotated[schemas.BudgetRequest, Body(examples=[{"budget_micros": 500_000}])],
) -> Response:
    """
    More lets in what waits for it; less begins nothing more. What has already ended for want of
    it can be tried again.
    """
    check_budget(wanted.budget_micros)
    with desk.sessions.begin() as session:
        control.set_budget(session, tenant_id, campaign_id, wanted.budget_micros)
        told, lanes = events.written(session), budgets.let_in(session)
        _tell(session, tenant_id, by, "campaign.budgeted", campaign_id, **wanted.model_dump())
    _wake(desk, lanes, told=told)
    return campaign_answer.shown(desk, tenant_id, campaign_id)


@router.post(
    "/campaigns/{campaign_id}/retry-failed",
    tags=["campaigns"],
    response_model=schemas.Campaign,
    summary="Try what failed of a campaign again",
    responses=AGAIN,
)
def retry_failed(desk: TheDesk, tenant_id: TenantId, by: Principal, campaign_id: UUID) -> Response:
    """
    Under the same job ids, with their history. The campaign is open until they have ended.

    Left as they are: jobs whose picture was refused when the campaign was accepted.
    """
    with desk.sessions.begin() as session:
        again = control.retry_failed(session, tenant_id, campaign_id)
        desk.admission.readmit(session, tenant_id, len(again))
        told = events.written(session)
        _tell(session, tenant_id, by, "campaign.retried", campaign_id)
    _wake(desk, {Lane(row.lane) for row in again}, told=told)
    return campaign_answer.shown(desk, tenant_id, campaign_id)


@router.post(
    "/jobs/{job_id}/retry",
    tags=["jobs"],
    response_model=schemas.Job,
    summary="Try a failed or expired job again",
    responses=AGAIN,
)
def retry_job(desk: TheDesk, tenant_id: TenantId, by: Principal, job_id: UUID) -> Response:
    """Under the same id; its attempts go on counting, and its deadline is gone."""
    with desk.sessions.begin() as session:
        lane = control.retry_job(session, tenant_id, job_id)
        desk.admission.readmit(session, tenant_id, 1)
        told = events.written(session)
        _tell(session, tenant_id, by, "job.retried", job_id)
    _wake(desk, {lane}, told=told)
    return job_answer.shown(desk, tenant_id, job_id)


@router.post(
    "/jobs/{job_id}/priority",
    tags=["jobs"],
    response_model=schemas.Job,
    summary="Put a job before or behind what else of yours waits",
    responses=WORDED,
)
def prioritise_job(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    job_id: UUID,
    wanted: Wanted,
) -> Response:
    with desk.sessions.begin() as session:
        control.prioritise_job(session, tenant_id, job_id, wanted.priority)
        _tell(session, tenant_id, by, "job.prioritised", job_id, **wanted.model_dump())
    return job_answer.shown(desk, tenant_id, job_id)


def _tell(
    session: Session, tenant_id: UUID, by: str, action: str, what: UUID, **details: int
) -> None:
    """In the audit log; `action` begins with what kind of thing `what` is."""
    target = f"{action.partition('.')[0]}:{what}"
    audit.record(session, tenant_id, by=by, action=action, target=target, details=details)


def _wake(desk: Desk, lanes: set[Lane], *, told: bool) -> None:
    """Somebody for what waits, and for webhooks if any were written."""
    for lane in lanes:
        desk.tickets.work(lane, tickets=MAX_TICKETS)
    if told:
        desk.tickets.deliver()
