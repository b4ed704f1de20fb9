"""The few DER encodings that Intel's SGX certificate extension needs."""

__all__ = ["boolean", "enumerated", "integer", "object_identifier", "octets", "sequence"]

_SHORT = 0x80


def sequence(*items: bytes) -> bytes:
    """Encode a SEQUENCE of encoded items."""
    return _tagged(0x30, b"".join(items))


def integer(value: int) -> bytes:
    """Encode a non-negative INTEGER; a leading zero byte keeps it from reading as negative."""
    return _tagged(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def enumerated(value: int) -> bytes:
    """Encode an ENUMERATED below 128."""
    return _tagged(0x0A, bytes([value]))


def boolean(*, value: bool) -> bytes:
    """Encode a BOOLEAN."""
    return _tagged(0x01, b"\xff" if value else b"\x00")


def octets(data: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return _tagged(0x04, data)


def object_identifier(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER written as ``1.2.840.113741``."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    body = bytes([40 * first + second])
    for arc in rest:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        body += bytes(reversed(groups))
    return _tagged(0x06, body)


def _tagged(tag: int, body: bytes) -> bytes:
    if len(body) < _SHORT:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, _SHORT | len(size)]) + size + body
