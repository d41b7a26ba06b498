"""The house of the organizer's tests: a real store and a real organizer, beside which simulations are run."""

from tests.service.organizer.conftest import house as house  # noqa: PLC0414
