"""What is served: one small document per model, all that scoring must read."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from functions.shared.domain.document import Document, Value
from functions.shared.domain.policy import DecisionPolicy, RowContract, Share


class Role(StrEnum):
    """Who answered a row."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class ServedModel(Value):
    """A version's bundle: its place in the store and `bundle.json`'s sha-256."""

    version: str
    digest: str
    prefix: str


class ServedChallenger(ServedModel):
    """A challenger in its rollout.

    It answers `share` of the entities (0 to 1), chosen by a salted hash of the id.

    In mode `shadow` it scores every row and answers none.
    """

    share: Share
    salt: str
    mode: Literal["canary", "shadow"] = "canary"


class PinnedPolicy(Value):
    """The part of a policy that scoring obeys, pinned with the release."""

    number: int = 0
    row_contract: RowContract = RowContract()
    decision: DecisionPolicy = DecisionPolicy()


class Answered(Value):
    """A batch, and how many of its rows the challenger answered."""

    batch_id: str
    rows: int = Field(ge=1)


class Withdrawal(Value):
    """A challenger whose rollout this release ended, and what it answered.

    Batches that were scored again since are left out.

    Where a rollout had very many batches only the newest are listed, so the list is not `complete`.
    """

    version: str
    share: Share
    answered: tuple[Answered, ...] = ()
    complete: bool = True

    @property
    def rows(self) -> int:
        """Rows that it answered."""
        return sum(batch.rows for batch in self.answered)


class Approval(Value):
    """What a person is asked to approve.

    From now on the version answers `share` of the rows; 1 is all of them, as the champion.
    """

    version: str
    share: Share
    since: datetime


def approval_window(asked: Approval) -> str:
    """Return the window of the alert that asks for an approval."""
    return f"{asked.since:%Y-%m-%dT%H%M%SZ}-v{asked.version}"


class Refusal(Document):
    """The last wish for a model that was not granted.

    It was made by an alias on the registry's own page; the release `seq` stands instead.
    """

    model: str
    seq: int = Field(ge=1)
    reason: str
    refused_at: datetime


class Release(Document):
    """The release document. `seq` rises with each change; `history/` keeps all.

    `newest` is the highest version this model ever served or tried: only later ones are candidates. A `retired` model scores
    no batch; its champion is the one it had last. `withdrawn` is the challenger that was on its way until this release, if it
    did not become the champion by it. `rolled_back` is the version that a rollback took out of service last, since the champion
    came into service by anything else. `approval` is the step that waits for a person.
    """

    model: str
    seq: int = Field(ge=1)
    champion: ServedModel
    challenger: ServedChallenger | None = None
    approval: Approval | None = None
    previous: ServedModel | None = None
    newest: str
    retired: bool = False
    withdrawn: Withdrawal | None = None
    rolled_back: str | None = None
    policy: PinnedPolicy = PinnedPolicy()
    reason: str
    decided_by: str
    decided_at: datetime

    @property
    def versions(self) -> tuple[str, str | None]:
        """Who answers rows: the champion and the challenger."""
        return self.champion.version, self.challenger.version if self.challenger else None


def doubtful_rollback(release: Release) -> str | None:
    """Return why it is unclear what one more rollback should do, or None.

    Asked twice, or after somebody else, it would serve the version again that was rolled back, or take the champion after its challenger.
    """
    previous, champion = release.previous, release.champion.version
    if release.rolled_back is None or previous is None or release.challenger is not None or release.retired:
        return None
    if release.rolled_back == previous.version:
        return f"version {champion} of {release.model!r} serves since version {previous.version} was rolled back, and would give way to it"
    return (
        f"the canary of version {release.rolled_back} of {release.model!r} was rolled back already, and now the champion itself, "
        f"version {champion}, would give way to version {previous.version}"
    )
