"""Names what keeps a command from its work."""


class CannotStart(Exception):
    """The service did not come up. The message says why and what to do."""
