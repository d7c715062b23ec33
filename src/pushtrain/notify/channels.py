"""The channels that the operator's settings name."""

from __future__ import annotations

from collections import Counter

from pushtrain.interfaces import Notifier
from pushtrain.notify.apprise_channel import AppriseNotifier, scheme
from pushtrain.notify.secrets import Secret
from pushtrain.notify.smtp_channel import SmtpNotifier
from pushtrain.settings import OperatorSettings

_SMTP = "PUSHTRAIN_SMTP_PASSWORD"
_URLS = "PUSHTRAIN_APPRISE_URLS"


def notifiers(settings: OperatorSettings) -> tuple[Notifier, ...]:
    """One notifier for each recipient of mails and each chat service, in the settings' order.

    Raises:
        DeliveryError: the file of Apprise URLs cannot be read.
    """
    return (*mail_notifiers(settings), *_chats(settings))


def mail_notifiers(settings: OperatorSettings) -> tuple[Notifier, ...]:
    """Those of mails alone, which can always be made."""
    mail = settings.mail
    if not mail.host:
        return ()
    password = Secret(_SMTP, mail.password_file, "[mail] password_file")
    return tuple(SmtpNotifier(mail, recipient, password) for recipient in dict.fromkeys(mail.to))


def _chats(settings: OperatorSettings) -> tuple[Notifier, ...]:
    secret = Secret(_URLS, settings.notify.apprise_file, "[notify] apprise_file")
    if not secret.is_given:
        return ()
    lines = (line.strip() for line in secret.read().splitlines())
    urls = dict.fromkeys(url for line in lines if not line.startswith("#") for url in line.split())
    # Numbered within their scheme: nothing of the URL itself may reach a journal, and a URL that
    # is mended goes on with what waits for it.
    seen: Counter[str] = Counter()
    made = []
    for url in urls:
        seen[scheme(url)] += 1
        made.append(AppriseNotifier(f"{scheme(url)} {seen[scheme(url)]}", url))
    return tuple(made)
