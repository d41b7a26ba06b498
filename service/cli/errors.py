"""Names what keeps a command from its work."""


class CannotStart(Exception):
    """The service did not come up, or does not answer. The message says why and what to do."""


class AnotherServes(CannotStart):
    """A service has this embedded database already; there is never a second one."""

    def __init__(self, who: str) -> None:
        super().__init__(
            f"{who}: use that one, stop it, or give this one a folder of its own with ANABRANCH_STATE"
        )
        self.who = who
