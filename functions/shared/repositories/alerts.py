"""Alerts about a model, each written once: its key says what it is about."""

from functions.shared.domain import layout
from functions.shared.domain.alert import Alert
from functions.shared.ports import ObjectInfo, ObjectStore


def raise_once(alert: Alert, store: ObjectStore) -> bool:
    """Write an alert unless it stands already, and return whether it did not."""
    return store.create(layout.alert_key(alert.model, alert.window, alert.kind.value), alert.to_json())


def raised(model: str, store: ObjectStore) -> list[ObjectInfo]:
    """Return a model's standing alerts by key, without those that end another."""
    return [found for found in store.list(layout.alert_prefix(model)) if not layout.is_closing(found.key)]
