"""The broker's own HTTP statuses for errors of the shared families: same codes and shape, another status."""

from protocol.errors import AccessDenied, DocumentError, StorageError, TransportError

__all__ = ["BadRequest", "MethodNotAllowed", "NotAuthenticated", "NotFound", "TooLarge", "TooSlow", "Unexpected"]


class NotAuthenticated(AccessDenied):
    """Nobody, or nobody known, is asking."""

    http_status = 401


class NotFound(StorageError):  # noqa: N818 - reads better where it is raised
    """What the address names is not here."""

    http_status = 404


class TooLarge(DocumentError):  # noqa: N818 - reads better where it is raised
    """A body is longer than the route takes."""

    http_status = 413


class TooSlow(TransportError):  # noqa: N818 - reads better where it is raised
    """A body kept the broker waiting for too long; the connection is closed."""

    http_status = 408


class BadRequest(DocumentError):  # noqa: N818 - reads better where it is raised
    """A header, query or form field is not what the route takes."""

    http_status = 400


class MethodNotAllowed(TransportError):  # noqa: N818 - reads better where it is raised
    """The address exists, but not for this method."""

    http_status = 405


class Unexpected(TransportError):  # noqa: N818 - reads better where it is raised
    """The broker failed in a way that nobody foresaw; the log says where, the answer does not."""

    http_status = 500
