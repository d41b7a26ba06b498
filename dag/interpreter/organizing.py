"""Finds what a branch has from those above it: the policy of which it is a part, and the model."""

from anabranch.dag.actions import Think
from anabranch.dag.ids import TRUNK, BranchId, parent_of
from anabranch.dag.interpreter.branch_run import Routine
from anabranch.dag.interpreter.run import Run
from anabranch.dag.policy import policy_named


def organizer_of(run: Run, branch: BranchId) -> BranchId:
    """The branch that runs the catalogued policy of which this branch is a part."""
    while branch != TRUNK and run.state.branches[branch].policy is None:
        branch = parent_of(branch) or TRUNK
    return branch


def reads_thoughts(run: Run, branch: BranchId) -> bool:
    """Whether that policy, of the job or a nested one, reads all that this branch decodes."""
    organizer = run.state.branches[organizer_of(run, branch)]
    return policy_named(organizer.policy or run.spec.policy).reads_thoughts(organizer.params)


def model_of(run: Run, routine: Routine) -> str | None:
    """The model of which the routine's next segment is asked: that of its thought, or with which its branch was forked,
    or the nearest one above it; else the job's."""
    if (
        routine.waiting is not None
        and isinstance(routine.waiting.action, Think)
        and routine.waiting.action.model
    ):
        return routine.waiting.action.model
    at: BranchId | None = routine.branch
    while at is not None:
        if named := run.state.branches[at].model:
            return named
        at = parent_of(at)
    return run.spec.model
