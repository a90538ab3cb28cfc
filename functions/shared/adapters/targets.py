"""Find webhooks, chats and pagers that get messages, named in a secret."""

import json
from binascii import Error as NotBase64
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from functions.shared.adapters.webhook import Webhook, signature
from functions.shared.domain.errors import InputError, NotSentError
from functions.shared.domain.message import Message
from functions.shared.ports import MessageTarget

SECRET = "secret"  # noqa: S105 - the name of what stands for a secret that cannot be read


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Webhook(_Entry):
    """A web server, and what messages to it are signed with."""

    url: str
    secret: str


class _Chat(_Entry):
    """A service, by Apprise's URL of it."""

    apprise: str


_ENTRIES = TypeAdapter(dict[str, _Webhook | _Chat])


class Unreadable:
    """`Target` for an unreadable secret: its messages are tried again, then kept."""

    def __init__(self, why: str) -> None:
        self._why = why

    def send(self, message: Message) -> None:
        """Raise NotSentError, with what is wrong with the secret."""
        raise NotSentError(f"{message.id}: {self._why}")


def targets_in(secret: str, *, guarded: bool) -> Mapping[str, MessageTarget]:
    """Return the targets that a secret names; nothing of it stands in an error."""
    try:
        text = _client().get_secret_value(SecretId=secret)["SecretString"]
    except (BotoCoreError, ClientError, KeyError) as error:
        return {SECRET: Unreadable(f"the secret {secret} cannot be read: {type(error).__name__}")}
    try:
        entries = _ENTRIES.validate_python(json.loads(text))
        for entry in entries.values():
            if isinstance(entry, _Webhook):
                signature(entry.secret, "", 0, b"")
    except (ValidationError, ValueError, NotBase64):
        form = '{"NAME": {"url": "https://…", "secret": "whsec_…"}, "NAME": {"apprise": "slack://…"}}'
        return {SECRET: Unreadable(f"the secret {secret} is not of the form {form}")}
    return {name: _target(entry, guarded=guarded) for name, entry in entries.items()}


def _target(entry: _Webhook | _Chat, *, guarded: bool) -> MessageTarget:
    if isinstance(entry, _Webhook):
        return Webhook(entry.url, entry.secret, guarded=guarded)
    from functions.shared.adapters.chat import Chat

    try:
        return Chat(entry.apprise)
    except InputError as refused:
        return Unreadable(str(refused))


@cache
def _client() -> Any:
    config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})
    return boto3.client("secretsmanager", config=config)
