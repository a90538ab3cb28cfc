"""Send messages to chats and pagers by the library Apprise."""

import logging
from typing import Any
from urllib.parse import urlsplit

from functions.shared.domain.errors import InputError, NotSentError
from functions.shared.domain.message import Message

SERVICES = frozenset({"slack", "dingtalk", "wecombot", "lark", "feishu", "pagerduty", "opsgenie", "discord", "tgram"})
"""Services whose hosts Apprise itself knows, so that no URL of theirs leads anywhere else."""
TEAMS, TEAMS_HOSTS = "workflows", (".logic.azure.com", ".powerplatform.com")
"""Microsoft Teams, whose URLs name a host of Microsoft's."""


class Chat:
    """`Target` that is a service, by Apprise's URL of it.

    Errors name the service alone, since the rest of the URL is secret.

    Raises:
        InputError: on making it, if the URL is of no service that is taken, or lacks something.
    """

    def __init__(self, url: str) -> None:
        self._service, host = urlsplit(url).scheme, urlsplit(url).hostname or ""
        if self._service not in SERVICES and not (self._service == TEAMS and host.endswith(TEAMS_HOSTS)):
            message = f"{self._service}:// is none of {', '.join(sorted([*SERVICES, TEAMS]))}"
            raise InputError(message)
        found = _apprise().Apprise.instantiate(url)
        if found is None:
            message = f"the URL of {self._service} lacks something; see https://github.com/caronc/apprise/wiki"
            raise InputError(message)
        self._plugin: Any = found
        self._plugin.redirects = False

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            NotSentError: if the service did not take it.
        """
        if not self._plugin.notify(title=message.subject, body=message.text, body_format="text"):
            refused = f"{self._service} did not take the message"
            raise NotSentError(refused)


def _apprise() -> Any:
    """Import the library, which takes a second, and silence its log of secrets."""
    import apprise

    logging.getLogger("apprise").disabled = True
    return apprise
