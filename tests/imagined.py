"""A host that there is not: what the explanations of the host's findings speak of."""

from __future__ import annotations

import errno

from topo.host import Command, Endpoint, Holder, Host, Refused

HOST = Host(
    refused={
        Endpoint("tcp://127.0.0.1:5555"): Refused(errno.EADDRINUSE, Holder(4711, "python other.py", "root")),
        Endpoint("tcp://192.0.2.1:5556"): Refused(errno.EADDRNOTAVAIL),
        Endpoint("tcp://*:80"): Refused(errno.EACCES),
        Endpoint("ipc:///run/jobs/all"): Refused(errno.ENOENT),
        Endpoint("ipc:///srv/notes"): Refused(errno.EEXIST),
    },
    left=frozenset({Endpoint("ipc:///srv/old")}),
    unknown=frozenset({"jobs.example"}),
    missing={Command("/srv", "./jobs.sh"): errno.ENOENT},
    descriptors=1024,
)
