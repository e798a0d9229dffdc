"""Believing one certificate and no other: how commands reach the server on their own machine."""

import ssl


def pin(certificate: str) -> ssl.SSLContext:
    """Whoever shows this very certificate is believed, under whatever name it was reached.

    Args:
        certificate: A PEM file, the server's own certificate first.

    Raises:
        OSError: It cannot be read (`ssl.SSLError` too).
    """
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False  # it was made for the names that others use
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # an operator's own may be older than the rules
    return context
