"""An event bus that keeps what it is given."""

from dataclasses import dataclass, field


@dataclass
class RecordingBus:
    """`EventBus` that delivers nothing; `requests` holds (model, trigger) in order."""

    requests: list[tuple[str, str]] = field(default_factory=list)

    def request_retraining(self, model: str, *, trigger: str) -> None:
        self.requests.append((model, trigger))
