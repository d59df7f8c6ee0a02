"""Who asks, for as long as a process runs: tokens and certificates that are renewed while it does.

A token's file and those of a certificate are read again each minute (and after a refusal), a program is run again when
what it gave is about to end. What cannot be renewed leaves the last in force: the server says when it is no good.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl

from sampan_api import kubeconfig, tls
from sampan_api.clock import Clock
from sampan_api.kubeconfig import Access, KubeconfigError

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 60.0
_EARLY_SECONDS = 10.0


class Identity:
    """`context` shows the certificate, the present one to each new connection."""

    def __init__(self, access: Access, clock: Clock, context: ssl.SSLContext | None) -> None:
        self._access, self._clock, self._context = access, clock, context
        self._looked_at = clock.monotonic()
        self._renewing = asyncio.Lock()
        self._refused = False

    async def headers(self) -> dict[str, str]:
        if self._due():
            async with self._renewing:
                if self._due():
                    await self._renew()
        return {"Authorization": f"Bearer {self._access.token}"} if self._access.token else {}

    def refused(self) -> None:
        """The server did not know who asked: there may be something newer."""
        self._refused = True

    def _due(self) -> bool:
        access = self._access
        if access.plugin is not None:
            ends = access.expires is not None and self._clock.now() >= access.expires - _EARLY_SECONDS
            return (ends or self._refused) and self._clock.monotonic() - self._looked_at >= 1.0
        if not access.token_file and not access.certificate_file:
            return False
        return self._refused or self._clock.monotonic() - self._looked_at >= _AGAIN_SECONDS

    async def _renew(self) -> None:
        self._refused, self._looked_at = False, self._clock.monotonic()
        try:
            renewed = await asyncio.to_thread(kubeconfig.renewed, self._access, os.environ)
            if self._context is not None and renewed.certificate_pem != self._access.certificate_pem:
                tls.load_certificate(self._context, renewed)
            self._access = renewed
        except KubeconfigError as error:
            log.warning("who we are cannot be renewed: %s", error)
