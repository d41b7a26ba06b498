"""Names what the store refuses or cannot do, and what to do then."""

from collections.abc import Sequence
from pathlib import Path


class StoreError(Exception):
    """Base of all errors of this package."""


class StoreAway(StoreError):
    """The database cannot be reached, or cannot take more now. Nothing was written; trying again later may succeed."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            f"The database did not answer ({cause}). Nothing was written, accepted jobs are kept; try again shortly."
        )


class DriverMissing(StoreError):
    """The database's driver is not installed."""

    def __init__(self) -> None:
        super().__init__("PostgreSQL's driver is not installed: pip install 'anabranch[postgres]'")


class StoreRefuses(StoreAway):
    """What is at the database's URL is no database, or lets this program not in.

    At the start another try cures nothing. To a process that runs the database is away: it let it in before, and will
    again when the password that is being changed, or the database that is being restored, is there.
    """

    def __init__(self, cause: BaseException) -> None:
        StoreError.__init__(
            self,
            f"The database cannot be used ({cause}). Nothing was written; look what ANABRANCH_DATABASE, or --database, "
            "names.",
        )


class Fenced(StoreError):
    """Another organizer has claimed the job since; nothing of this append was written. Stop working on the job."""

    def __init__(self, job: str, epoch: int, current: int) -> None:
        super().__init__(
            f"Job {job} was claimed anew: epoch {epoch} is over, {current} is current. "
            "Nothing of this append was written; stop working on the job."
        )


class JobEnded(StoreError):
    """The journal of this job has its terminal event; nothing but ratings can follow it."""

    def __init__(self, job: str) -> None:
        super().__init__(f"Job {job} has ended; its journal takes no more events, and nothing was written.")


class JobNotEnded(StoreError):
    """This job has no terminal event yet; only an ended job is rated."""

    def __init__(self, job: str) -> None:
        super().__init__(
            f"Job {job} has not ended, and nothing was written. Wait for its end: "
            "there is no answer yet that could be rated."
        )


class NotFound(StoreError):
    """There is no such job, branch or approval, or it belongs to another tenant."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"There is no {what} {name}.")


class IdempotencyConflict(StoreError):
    """The idempotency key was used before, with another body."""

    def __init__(self, key: str, job: str) -> None:
        super().__init__(
            f"Idempotency key {key!r} already made job {job} from another body. Nothing was submitted; "
            "use a new key, or send the first body again."
        )
        self.job = job


class BatchConflict(StoreError):
    """The idempotency key of a batch was used before, with another body."""

    def __init__(self, key: str, batch: str) -> None:
        super().__init__(
            f"Idempotency key {key!r} already made batch {batch} from another body. Nothing was submitted; "
            "use a new key, or send the first body again."
        )


class FileInUse(StoreError):
    """A batch that has not ended reads this file."""

    def __init__(self, file: str) -> None:
        super().__init__(
            f"A batch that has not ended reads file {file}. Nothing was deleted; wait for its end, or cancel it."
        )


class EvaluationConflict(StoreError):
    """An evaluation of this name compares something else."""

    def __init__(self, run: str) -> None:
        super().__init__(
            f"Evaluation {run!r} is there already, with other tasks, policies, seed or limits. Nothing was written; "
            "choose another name."
        )


class QuotaSpent(StoreError):
    """The job's budget does not fit into what is left of its tenant's quota."""

    def __init__(
        self, what: str, quota: float, spent: float, promised: float, wanted: float, retry_after: float
    ) -> None:
        super().__init__(
            f"The quota is {quota:,g} {what} a day: {spent:,g} are spent, {promised:,g} are promised to jobs under "
            f"way, and this job may spend {wanted:,g}. Nothing was submitted; try again later, or with less."
        )
        self.retry_after = retry_after
        """Seconds until it may fit."""
        self.never = wanted > quota
        """It would not fit into a day of which nothing was spent."""


class AlreadyDecided(StoreError):
    """A person, or the timeout, decided this approval before. The first decision stands."""

    def __init__(self, approval: str, decision: str) -> None:
        super().__init__(f"Approval {approval} is decided already: {decision}. That decision stands.")
        self.decision = decision


class ApprovalWithdrawn(StoreError):
    """The branch that asked has ended: nothing waits for this decision."""

    def __init__(self, approval: str, branch: str, ended: str) -> None:
        super().__init__(
            f"Approval {approval} was withdrawn: branch {branch}, which asked for it, is {ended}. "
            "Nothing was written, and nothing waits for this decision."
        )


class BadJournal(StoreError):
    """A file is not the whole, unchanged journal of an ended job."""

    def __init__(self, why: str) -> None:
        super().__init__(f"This journal cannot be imported: {why}. Nothing was written.")


class JobExists(StoreError):
    """The job that is to be imported is here."""

    def __init__(self, job: str) -> None:
        super().__init__(f"Job {job} is in this database already. Nothing was written.")


class BadCursor(StoreError):
    """The page cursor is none that this service gave out."""

    def __init__(self) -> None:
        super().__init__("This cursor is not one that a listing returned; start again without a cursor.")


class UnreadableFormat(StoreError):
    """The journal was written by a newer Anabranch: it holds a format or a kind of event that this one lacks."""

    def __init__(self, holds: str) -> None:
        super().__init__(
            f"This journal holds {holds}. A newer Anabranch wrote it; nothing was changed. "
            "Upgrade this one to the newer release that wrote it."
        )


class DamagedPack(StoreError):
    """A part of a packed journal cannot be read: its bytes were changed, or a newer release packed it."""

    def __init__(self, job: str, first_seq: int, why: BaseException) -> None:
        super().__init__(
            f"The journal of job {job} cannot be read from record {first_seq} on: {why}. Nothing was changed. If a "
            "newer Anabranch packed it, upgrade this one; if not, take the job from a backup or an export."
        )
        self.first_seq = first_seq


class OlderAtWork(StoreError):
    """Programs work on the database that cannot read packed journals."""

    def __init__(self, programs: Sequence[str]) -> None:
        super().__init__(
            f"Nothing was packed: programs of an older release work on this database, and read no packed journals: "
            f"{', '.join(programs)}. Upgrade or stop them first."
        )


class SchemaBehind(StoreError):
    """The database lacks migrations that this program needs."""

    def __init__(self, found: str | None, needed: str) -> None:
        super().__init__(
            f"The database schema is at {found or 'nothing'}, this Anabranch needs {needed}. "
            "Run `anabranch db upgrade`."
        )


class NoDatabase(SchemaBehind):
    """The file of the database is not there."""

    def __init__(self, file: Path) -> None:
        StoreError.__init__(
            self, f"There is no database at {file}. Run `anabranch db upgrade`: it makes one."
        )


class SchemaAhead(StoreError):
    """A newer release has migrated the database, and this program cannot use it any more."""

    def __init__(self, found: str | None, usable_from: str, known: str) -> None:
        at = "" if found is None else f"is at {found} and "
        super().__init__(
            f"The database schema {at}can be used by programs that know revision {usable_from}; this Anabranch knows "
            f"up to {known}: a newer release migrated it. Nothing was changed; run that release."
        )


class ContractionRefused(StoreError):
    """A migration would take away what programs need that work on the database now."""

    def __init__(self, revision: str, usable_from: str, programs: Sequence[str]) -> None:
        super().__init__(
            f"Migration {revision} takes away what programs older than schema {usable_from} need, and such work on "
            f"this database: {', '.join(programs)}. It was not applied, those before it are. When these programs "
            "have been upgraded or stopped, run `anabranch db upgrade` again."
        )
