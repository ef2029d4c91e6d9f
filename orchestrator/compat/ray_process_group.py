"""Form a worker group's torch process group on its machines' own addresses, which Ray Train keeps private (written against 2.60.0).

Ray Train lets torch open the rendezvous, and torch listens on every interface of the machine.
"""

import fcntl
import os
import socket
import struct
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

import ray
import torch.distributed as dist
from ray.train.torch import TorchConfig
from ray.train.torch.config import _set_torch_distributed_env_vars, _TorchBackend

INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")  # what gloo and nccl read; a user's own choice stays
SIOCGIFADDR = 0x8915  # see netdevice(7)
LOOPBACK, IPV6 = "lo", 6
_listening: list[socket.socket] = []  # rank 0's, from when its port is known until torch has taken it over


class OwnAddressConfig(TorchConfig):
    """Configure a process group that listens on the address by which Ray knows each machine, and on no other."""

    @property
    def backend_cls(self) -> Any:
        """Return the class that starts and ends the process group."""
        return OwnAddressBackend


class OwnAddressBackend(_TorchBackend):
    """Start the process group; Ray Train ends it."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Let rank 0 open the rendezvous, and all workers meet there."""
        worker_group.execute(_set_torch_distributed_env_vars)
        address, port = worker_group.execute_single(0, listen)
        size = len(worker_group)
        meeting = [
            worker_group.execute_single_async(
                rank, meet, backend_config.backend, address, port, rank, size, backend_config.timeout_s
            )
            for rank in range(size)
        ]
        ray.get(meeting)


def listen() -> tuple[str, int]:
    """Listen on a free port of this machine's own address; return both."""
    address = _own_address()
    family = socket.AF_INET6 if ip_address(address).version == IPV6 else socket.AF_INET
    _listening.append(socket.create_server((address, 0), family=family))
    return address, _listening[0].getsockname()[1]


def meet(backend: str, address: str, port: int, rank: int, size: int, timeout_s: float) -> None:
    """Join the process group whose rendezvous rank 0 has opened."""
    interface = interface_of(_own_address())
    if interface is not None:
        for name in INTERFACES:
            os.environ.setdefault(name, interface)
    timeout = timedelta(seconds=timeout_s)
    own = _listening.pop().detach() if rank == 0 else None
    store = dist.TCPStore(  # type: ignore[attr-defined]  # torch does not list it
        address, port, size, is_master=rank == 0, timeout=timeout, master_listen_fd=own
    )
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)


def _own_address() -> str:
    return str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]


def interface_of(address: str) -> str | None:
    """Return the name of the network interface that has the address, ``None`` where none is known to have it."""
    wanted = ip_address(address)
    names = [name for _, name in socket.if_nameindex()]
    if wanted.is_loopback:
        return LOOPBACK if LOOPBACK in names else None
    if wanted.version == IPV6:
        return next((name for own, name in _ipv6_addresses() if own == wanted), None)
    return next((name for name in names if _ipv4_address(name) == address), None)


def _ipv4_address(name: str) -> str | None:
    """Return an interface's first IPv4 address, which is the one that gloo takes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, SIOCGIFADDR, struct.pack("256s", name.encode()))
        except OSError:  # it has none
            return None
    return socket.inet_ntoa(answer[20:24])


def _ipv6_addresses() -> list[tuple[IPv6Address, str]]:
    lines = Path("/proc/net/if_inet6").read_text().splitlines()
    return [(IPv6Address(bytes.fromhex(fields[0])), fields[5]) for fields in map(str.split, lines)]
