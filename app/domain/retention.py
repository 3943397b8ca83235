"""How long what is kept: days, by what it is."""

from typing import Annotated, Final

from pydantic import Field

from app.domain.requests import Request

DAY: Final = 86_400  #: seconds

Days = Annotated[int | None, Field(ge=1, le=36_500, description="Null: for good.")]


class Retention(Request):
    """Days after its last use, or its end, until something is erased."""

    contents: Days = Field(None, description="Pictures that came in, after their last job ended.")
    outputs: Days = Field(None, description="Finished pictures, after their job ended.")
    jobs: Days = Field(
        None, description="Rows of jobs and campaigns, with all that is left of their pictures."
    )

    @property
    def kept(self) -> dict[str, int]:
        """As it is stored: what is limited."""
        return self.model_dump(exclude_none=True)

    def days(self, what: str) -> int | None:
        """Of pictures: nothing outlives the row that tells of it."""
        found = [days for days in (getattr(self, what), self.jobs) if days is not None]
        return min(found, default=None)
