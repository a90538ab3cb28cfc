"""Alerts about a model, each written once: its key says what it is about."""

from functions.shared.domain import layout
from functions.shared.domain.alert import Alert
from functions.shared.ports import ObjectStore


def raise_once(alert: Alert, store: ObjectStore) -> None:
    """Write an alert unless it stands already."""
    store.create(layout.alert_key(alert.model, alert.window, alert.kind.value), alert.to_json())
