"""Shows how many jobs failed alike."""

from datetime import datetime

from pydantic import BaseModel, Field


class ErrorGroupView(BaseModel):
    """Jobs that failed with the same error."""

    type: str
    title: str
    count: int
    newest: str = Field(description="The job that failed so last.")
    newest_at: datetime


class ErrorGroupList(BaseModel):
    items: list[ErrorGroupView]
    complete: bool = Field(
        description="False: older failed jobs were not looked at, or there are more groups."
    )
