"""Addresses of the node's pod CIDR: one file per address, named by it, holding the sandbox's id.

The file is made with O_EXCL, so an address has one owner even if two processes should ask at once. A freed address
rests for a while: its veth may still be on the way out, and peers may still hold its neighbour entry. The rest
survives a restart as the file's modification time on an empty file.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


class NoFreeAddress(Exception):
    """All addresses of the CIDR are taken or resting."""


@dataclass(slots=True)
class AddressPool:
    directory: Path
    cidr: ipaddress.IPv4Network
    cooldown_seconds: float = 30.0
    _next: int = 0

    @property
    def gateway(self) -> ipaddress.IPv4Address:
        return self.cidr.network_address + 1

    @property
    def _usable(self) -> int:
        """Without the network's own address, the gateway and the broadcast address."""
        return self.cidr.num_addresses - 3

    def allocate(self, owner: str) -> ipaddress.IPv4Address:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for step in range(self._usable):
            offset = (self._next + step) % self._usable
            address = self.cidr.network_address + 2 + offset
            if self._claim(self.directory / str(address), owner):
                self._next = offset + 1
                return address
        raise NoFreeAddress(f"no free address in {self.cidr}")

    def _claim(self, file: Path, owner: str) -> bool:
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            found = file.stat()
            if found.st_size or time.time() - found.st_mtime < self.cooldown_seconds:
                return False
            file.unlink()
            return self._claim(file, owner)
        with open(descriptor, "w") as opened:
            opened.write(owner)
        return True

    def release(self, address: str, owner: str) -> None:
        """Idempotent; an address that has another owner by now stays his."""
        file = self.directory / address
        try:
            if file.read_text() == owner:
                os.truncate(file, 0)
                os.utime(file)
        except FileNotFoundError:
            pass

    def reconcile(self, owners: Collection[str]) -> list[str]:
        """Frees what belongs to sandboxes that no longer exist; returns those addresses."""
        freed = []
        for file in self.directory.iterdir() if self.directory.is_dir() else ():
            owner = file.read_text()
            if owner and owner not in owners:
                self.release(file.name, owner)
                freed.append(file.name)
        return freed
