"""Finds the policy of which a branch is a part."""

from anabranch.dag.ids import TRUNK, BranchId, parent_of
from anabranch.dag.interpreter.run import Run
from anabranch.dag.policy import PolicyInfo, policy_named


def organizer_of(run: Run, branch: BranchId) -> BranchId:
    """The branch that runs the catalogued policy of which this branch is a part."""
    while branch != TRUNK and run.state.branches[branch].policy is None:
        branch = parent_of(branch) or TRUNK
    return branch


def organizing_policy(run: Run, branch: BranchId) -> PolicyInfo:
    """That policy: of the job, or of a nested one."""
    return policy_named(run.state.branches[organizer_of(run, branch)].policy or run.spec.policy)
