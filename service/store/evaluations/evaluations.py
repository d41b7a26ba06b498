"""Stores evaluations: their designs, and what came of each trial. Both outlive the jobs that they tell of."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from anabranch.dag.evaluation.report import Trial
from anabranch.service.store.errors import EvaluationConflict, NotFound
from anabranch.service.store.evaluations.tables import evaluations, trials
from anabranch.service.store.rows import JobRow
from anabranch.service.store.sql.repository import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """An evaluation as it is listed."""

    tenant: str
    run: str
    design: Mapping[str, Any]
    """As `dag.evaluation.design.Design`, in JSON."""
    created_at: datetime
    updated_at: datetime
    judged: int
    """Trials that have been judged."""


class Evaluations(Repository):
    """The evaluations of one database. All methods raise StoreAway."""

    async def create(self, tenant: str, run: str, digest: str, design: Mapping[str, Any]) -> bool:
        """Keeps a design under this name; False where the same is there already.

        Raises EvaluationConflict where another is.
        """
        work = partial(_create, tenant=tenant, run=run, digest=digest, design=dict(design), at=self._now())
        try:
            return await self._database.write(work)
        except IntegrityError:  # the same name came in twice at once
            return await self._database.write(work)

    async def get(self, run: str, tenant: str | None = None) -> EvaluationRow:
        """The newest evaluation of this name that the tenant may see. Raises NotFound."""
        found = await self._read((evaluations.c.run == run,), tenant, 1)
        if not found:
            raise NotFound("evaluation", run)
        return found[0]

    async def list_newest(self, tenant: str | None = None, limit: int = 100) -> Sequence[EvaluationRow]:
        """The newest evaluations first."""
        return await self._read((), tenant, limit)

    async def judge(
        self, row: EvaluationRow, task: str, arm: str, job: JobRow, score: float, detail: str
    ) -> Trial:
        """Keeps a trial's verdict, with what its job cost; a later verdict on the same trial takes its place."""
        trial = _trial(task, arm, job, score, detail)
        at = self._now()
        await self._database.write(partial(_judge, tenant=row.tenant, run=row.run, trial=trial, at=at))
        return trial

    async def list_trials(self, row: EvaluationRow) -> list[Trial]:
        """All trials that have been judged, by task and arm."""
        wanted = (
            select(trials)
            .where(trials.c.tenant == row.tenant, trials.c.run == row.run)
            .order_by(trials.c.task, trials.c.arm)
        )
        rows = await self._database.read(lambda connection: connection.execute(wanted).mappings().all())
        return [
            Trial(**{name: value for name, value in found.items() if name not in {"tenant", "run", "at"}})
            for found in rows
        ]

    async def _read(self, wanted: Sequence[Any], tenant: str | None, limit: int) -> Sequence[EvaluationRow]:
        judged = (
            select(func.count())
            .where(trials.c.tenant == evaluations.c.tenant, trials.c.run == evaluations.c.run)
            .scalar_subquery()
        )
        whose = () if tenant is None else (evaluations.c.tenant == tenant,)
        query = (
            select(evaluations, judged.label("judged"))
            .where(*wanted, *whose)
            .order_by(evaluations.c.created_at.desc(), evaluations.c.run)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [
            EvaluationRow(**{name: value for name, value in row.items() if name != "digest"}) for row in rows
        ]


def _create(
    connection: Connection, *, tenant: str, run: str, digest: str, design: dict[str, Any], at: datetime
) -> bool:
    same = (evaluations.c.tenant == tenant) & (evaluations.c.run == run)
    found = connection.execute(select(evaluations.c.digest).where(same)).scalar_one_or_none()
    if found is not None:
        if found != digest:
            raise EvaluationConflict(run)
        return False
    row = {
        "tenant": tenant,
        "run": run,
        "digest": digest,
        "design": design,
        "created_at": at,
        "updated_at": at,
    }
    connection.execute(insert(evaluations), row)
    return True


def _judge(connection: Connection, *, tenant: str, run: str, trial: Trial, at: datetime) -> None:
    row = {"tenant": tenant, "run": run, **asdict(trial), "at": at}
    insert_into = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    same = [trials.c.tenant, trials.c.run, trials.c.task, trials.c.arm]
    connection.execute(insert_into(trials).values(row).on_conflict_do_update(index_elements=same, set_=row))
    connection.execute(
        update(evaluations)
        .where(evaluations.c.tenant == tenant, evaluations.c.run == run)
        .values(updated_at=at)
    )


def _trial(task: str, arm: str, job: JobRow, score: float, detail: str) -> Trial:
    metrics = job.metrics or {}
    return Trial(
        task=task,
        arm=arm,
        job=job.id,
        status=str(job.status),
        score=score,
        detail=detail,
        critical_path_tokens=int(metrics.get("critical_path_tokens", 0)),
        total_tokens=int(metrics.get("total_tokens", job.usage.completion_tokens)),
        waste_tokens=int(metrics.get("waste_tokens", 0)),
        wall_seconds=float(metrics.get("wall_seconds", 0.0)),
        cost=job.cost,
    )
