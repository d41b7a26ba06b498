"""Types of parameters that policies of trained formats share."""

from typing import Annotated, Literal

from anabranch.dag.policy import Param

PlanAssist = Annotated[
    Literal["plan", "none"],
    Param("plan: an example, and a structured first plan; none: published bytes only", trained="none"),
]
Reading = Annotated[
    Literal["lenient", "strict"],
    Param("strict: what departs from the trained format is not taken for it"),
]
Overflow = Annotated[
    Literal["summary", "truncate", "refuse"],
    Param("how branches are said that the context cannot hold"),
]
