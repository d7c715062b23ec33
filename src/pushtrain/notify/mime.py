"""A message as a mail: text, HTML with its pictures inside, attachments; the same bytes always.

multipart/mixed
├── multipart/alternative
│   ├── text/plain
│   └── multipart/related: text/html and its pictures
└── attachments
"""

from __future__ import annotations

import email.policy
import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from pushtrain.errors import DeliveryError
from pushtrain.interfaces import Message
from pushtrain.telling.text import visible

_ADDRESS = re.compile(r"(?:[^<>\r\n]*<)?(?P<user>[^<>\s@\"(),:;]+)@(?P<domain>[^<>\s@]+?)>?")
_NAME = re.compile(r"\s*\"?(?P<name>[^<>\"\r\n]*?)\"?\s*<")


def mail(message: Message, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The mail of a message, a function of its arguments alone.

    Args:
        message: what to tell.
        sender: an address, with or without a name before it.
        to: addresses, likewise.

    Raises:
        DeliveryError: an address cannot be one.
    """
    from_address = address(sender)
    made = EmailMessage(email.policy.SMTP)
    made["Subject"] = visible(message.subject, 200)
    made["From"] = from_address
    made["To"] = [address(one) for one in to]
    made["Date"] = format_datetime(datetime.fromtimestamp(int(message.time), UTC))
    made["Message-ID"] = f"<{message.key}@{from_address.domain}>"
    # RFC 3834: so that out-of-office replies and mailing lists leave it alone.
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(message.text, cte="quoted-printable")
    made.add_alternative(message.html, subtype="html", cte="quoted-printable")
    _add_pictures(made, message)
    for name, content in message.attachments.items():
        kind = ("text", "x-patch") if name.endswith(".patch") else ("application", "octet-stream")
        made.add_attachment(content, maintype=kind[0], subtype=kind[1], filename=visible(name, 80))
    _name_boundaries(made, message.key)
    return made


def address(text: str) -> Address:
    """An address from a setting: `ada@example.org` or `Ada <ada@example.org>`.

    Raises:
        DeliveryError: it cannot be one.
    """
    found, name = _ADDRESS.fullmatch(text.strip()), _NAME.match(text.strip())
    try:
        if found is None or ("<" in text) != text.strip().endswith(">"):
            raise ValueError("write it as ada@example.org or Ada <ada@example.org>")
        domain = found["domain"].encode("idna").decode("ascii")
        return Address(visible(name["name"], 100) if name else "", found["user"], domain)
    except (ValueError, IndexError) as error:
        raise DeliveryError(
            f"{visible(text, 100)!r} is no mail address: {visible(str(error), 100)}",
            hint="mend [mail] sender and to in config.toml",
            soon=False,
        ) from None


def _add_pictures(made: EmailMessage, message: Message) -> None:
    html = made.get_body(("html",))
    assert isinstance(html, EmailMessage)
    for content_id, content in message.images.items():
        html.add_related(
            content,
            maintype="image",
            subtype="png",
            cid=f"<{content_id}>",
            filename=f"{content_id.partition('@')[0]}.png",
            disposition="inline",
        )


def _name_boundaries(made: EmailMessage, key: str) -> None:
    """Names what separates the parts, which would otherwise be random."""
    for number, part in enumerate(made.walk()):
        if part.is_multipart():
            # Base64 and quoted-printable never hold "=_" at the beginning of a line after "--".
            part.set_boundary(f"=_{key}.{number}")
