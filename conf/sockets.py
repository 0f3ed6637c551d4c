"""Addresses and listening sockets: the caveats of the socket interface in one place."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from conf.errors import StartError

_UNIX_LIMIT = 107  # bytes of sun_path on Linux, less the closing zero (unix(7))


class UnixAddress(os.PathLike[str]):
    """A path that fits into a Unix socket address, however deep its folder lies.

    A path longer than the system allows is reached through /proc/self/fd of its opened folder, so the object must
    live as long as the address is in use. Raises FileNotFoundError if the folder is missing.
    """

    def __init__(self, path: Path) -> None:
        self._folder: int | None = None
        self._address = str(path.absolute())
        if len(os.fsencode(self._address)) > _UNIX_LIMIT:
            self._folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._address = f"/proc/self/fd/{self._folder}/{path.name}"

    def __fspath__(self) -> str:
        return self._address

    def __str__(self) -> str:
        return self._address

    def close(self) -> None:
        """Release the folder. The address is not usable afterwards."""
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def __enter__(self) -> UnixAddress:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def unix_address(path: Path) -> UnixAddress:
    """A usable Unix socket address for `path`; keep the answer alive while it is in use."""
    return UnixAddress(path)


def split_address(address: str) -> tuple[str, int]:
    """("127.0.0.1", 9000) from "127.0.0.1:9000"; the brackets of an IPv6 address are taken off."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def join_address(host: str, port: int) -> str:
    """ "127.0.0.1:9000" from its parts; an IPv6 address gets its brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind(address: str, setting: str, *, shared: bool = False) -> socket.socket:
    """A TCP socket bound to `address`, not yet listening.

    `shared` lets several processes bind the same port (SO_REUSEPORT). Raises StartError naming `setting` where
    the port is taken or the address is not this machine's.
    """
    host, port = split_address(address)
    try:
        family, kind, proto, _, target = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        page = f"see docs/configuration.md#{setting.split('.')[0]}"
        raise StartError(f"{setting} is {address}: the host is not known ({error.strerror}; {page})") from None
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(target)
    except OSError as error:
        sock.close()
        raise StartError(
            f"{setting} is {address}: {os.strerror(error.errno or 0).lower()}; "
            f"stop what uses it or set another address (see docs/configuration.md#{setting.split('.')[0]})"
        ) from None
    sock.setblocking(False)
    return sock


def bound_address(sock: socket.socket) -> str:
    """ "HOST:PORT" that the socket is really bound to."""
    host, port = sock.getsockname()[:2]
    return join_address(host, port)
