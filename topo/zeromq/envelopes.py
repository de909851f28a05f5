"""What each type of socket does to the parts of a message: what it adds, takes off and needs, and how it finds who is next.

Source: RFC 28 (REQ, REP, DEALER, ROUTER), RFC 29 (PUB, SUB, XPUB, XSUB), RFC 30 (PUSH, PULL), RFC 31 (PAIR), and src/req.cpp,
rep.cpp, router.cpp, xpub.cpp and xsub.cpp of libzmq 4.3.5. For the draft types zmq_socket(3): their messages have one part.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["ENVELOPES", "Choice", "Envelope", "Receiving", "Sending", "Topics"]

Sending = Literal["", "delimiter", "address", "kept"]
Receiving = Literal["", "delimiter", "sender", "keeps"]
Choice = Literal["", "turn", "address", "all", "one", "asker"]
Topics = Literal["", "asks", "forwards", "takes", "reads"]


class Envelope(msgspec.Struct, frozen=True):
    """One type of socket, and the parts of its messages.

    `sends` is what becomes of a message on its way out: it gets an empty delimiter in front; its first part, the address, is
    taken off; what was kept of the question is put in front again. `receives` is what becomes of one that comes in: the
    delimiter, which must stand in front, is taken off; the sender's id is put in front; all up to the first delimiter is kept
    for the answer, and what has none is dropped.

    `chooses` says to whom a message goes: to each of its peers in turn, to the one that its address names, to all that
    subscribed to what it begins with, to the only one there is, to the one who asked. `speaks` is what comes first where sending
    and receiving alternate.

    `topics` says what becomes of subscriptions: a SUB asks for topics, an XSUB sends on what it is told; a PUB takes them to
    heart, an XPUB lets them be read besides.
    """

    name: str
    sends: Sending = ""
    receives: Receiving = ""
    chooses: Choice = ""
    speaks: Literal["", "first", "second"] = ""
    topics: Topics = ""
    single: bool = False
    """Its messages have one part."""


ENVELOPES: dict[str, Envelope] = {
    e.name: e
    for e in (
        Envelope("PAIR", chooses="one"),
        Envelope("PUB", chooses="all", topics="takes"),
        Envelope("SUB", topics="asks"),
        Envelope("REQ", sends="delimiter", receives="delimiter", chooses="turn", speaks="first"),
        Envelope("REP", sends="kept", receives="keeps", chooses="asker", speaks="second"),
        Envelope("DEALER", chooses="turn"),
        Envelope("ROUTER", sends="address", receives="sender", chooses="address"),
        Envelope("PULL"),
        Envelope("PUSH", chooses="turn"),
        Envelope("XPUB", chooses="all", topics="reads"),
        Envelope("XSUB", chooses="all", topics="forwards"),
        Envelope("STREAM", sends="address", receives="sender", chooses="address"),
        Envelope("SERVER", chooses="asker", single=True),
        Envelope("CLIENT", chooses="turn", single=True),
        Envelope("RADIO", chooses="all", single=True),
        Envelope("DISH", single=True),
        Envelope("GATHER", single=True),
        Envelope("SCATTER", chooses="turn", single=True),
        Envelope("DGRAM", sends="address", receives="sender", chooses="address"),
        Envelope("PEER", chooses="asker", single=True),
        Envelope("CHANNEL", chooses="one", single=True),
    )
}
