"""Hide passwords and tokens in text that is stored, shown or sent."""

from __future__ import annotations

import re

_SECRET_KEYS = "password|passwd|passphrase|pwd|token|secret|credentials?|signature|auth|api_?key|access_?key|key"

_USER_AND_PASSWORD = re.compile(r"""(//[^\s"'/@:]*:)(?!\d{1,5}/)[^\s"]+@""")
"""A colon, digits and a slash are a port and a path, in which an @ may stand."""

_USER = re.compile(r"""(https?://|(?<![\w:/])//)[^\s"'/?#]+@""", re.IGNORECASE)
_QUERY = re.compile(rf"""([?&;][\w.-]*(?:{_SECRET_KEYS})[\w.-]*=)[^\s"'&;#]+""", re.IGNORECASE)


def hide_credentials(text: str) -> str:
    r"""Replace the credentials of every address in a text by stars; what is no credential may be hidden with them.

    Hidden are the password of `scheme://user:password@host`, whatever characters it has; all of `user@` in an HTTP
    address, where it is usually a token; and query parameters whose names speak of a secret. Hiding twice changes
    nothing.

    Args:
        text: Any text, of which addresses are a part.

    >>> hide_credentials("postgresql://me:pass/w@rd@host/runs")
    'postgresql://me:***@host/runs'
    >>> hide_credentials("https://TOKEN@host/path?user=me&api_key=abc&page=2")
    'https://***@host/path?user=me&api_key=***&page=2'
    >>> hide_credentials("//me:password@host, the rest of an address that was cut at its first colon")
    '//me:***@host, the rest of an address that was cut at its first colon'
    """
    text = _USER_AND_PASSWORD.sub(r"\1***@", text)
    text = _USER.sub(lambda match: match.group() if ":***@" in match.group() else f"{match.group(1)}***@", text)
    return _QUERY.sub(r"\1***", text)
