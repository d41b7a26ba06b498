"""The 26 semantics that a runtime of reasoning DAGs must get right (protocols.md section 12.3), one named test each.

They run in the pure interpreter, in virtual time; those that concern the runtime, also in the real one (`house`).
"""

from tests.dag.conftest import simulate
from tests.dag.policies.conftest import listen
from tests.service.organizer.conftest import house

__all__ = ["house", "listen", "simulate"]
