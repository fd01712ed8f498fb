"""How large a body may be: `maxUploadBytes` where the method takes files, else `maxBodyBytes`."""

from __future__ import annotations

import inspect

from ..dispatch.request import KernelRequest
from ..dispatch.routing import Endpoint
from ..errors import TooLarge
from ..settings import Settings


def limit_body(request: KernelRequest, settings: Settings) -> None:
    """Limit the body of a resolved request. Raises TooLarge where its declared length is beyond that."""
    endpoint: Endpoint = request.resolved.endpoint
    own: int = getattr(endpoint.function, "koa_upload_bytes", 0)
    most = own or (settings.maxUploadBytes if _takes_files(endpoint) else settings.maxBodyBytes)
    request.max_content_length = most
    if (request.content_length or 0) > most:
        raise TooLarge(
            f"The body has {request.content_length:,} bytes; {endpoint.name} takes {most:,}. "
            'A method that takes more says so: @limit(upload="500MB").'
        )


def _takes_files(endpoint: Endpoint) -> bool:
    """Whether a signature asks for files, or the code of an untyped method uses the name `files`."""
    if any(parameter.shape in ("file", "files") for parameter in endpoint.signature.parameters):
        return True
    return endpoint.signature.style != "typed" and "files" in inspect.unwrap(endpoint.function).__code__.co_names
