"""Finds the policy of which a branch is a part."""

from anabranch.dag.ids import TRUNK, BranchId, parent_of
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
