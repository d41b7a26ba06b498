"""Tells older events in the words of today. Journals are kept, and replayed, as they were written."""

from anabranch.dag.events import BudgetExceeded, Event, Resource, WindUpRequested


def in_current_words(event: Event) -> Event:
    """The event as it would be recorded today. Older journals asked to wind up by a BudgetExceeded of less than its
    limit."""
    match event:
        case BudgetExceeded(resource=Resource.SECONDS) if event.spent < event.limit:
            return WindUpRequested(
                branch=event.branch, resource=event.resource, limit=event.limit, spent=event.spent
            )
        case _:
            return event
