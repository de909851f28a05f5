"""Random texts and topologies for the laws. A new construct of the language is added here."""

from __future__ import annotations

import re
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

import topo
from tests.whole import relaid, whole_text

WORDS = (
    "ztopo topology param device process app use host security options in out monitor control socket run thread inside restart max "
    "backoff on context with bind connect same secured by as swap file queue forwarder streamer proxy ROUTER DEALER PUB SUB XPUB "
    "XSUB PULL PUSH REQ REP PAIR linger sndhwm subscribe routing_id prefix port true false index others broker feed worker on-failure "
    "always rest"
).split()
PIECES = [
    *WORDS, "1", "2", "1.5s", "5min", "250ms", "64KiB", "-1", "10_000", "100ms..5s", "..", "tcp://*:5555", "tcp://127.0.0.1:${port}", "ipc://x", "inproc://a",
    "tcp://*:*", '"text"', '"${port}"', '"\\x01"', '"', "[3]", "[*]", "[i: 2]", "[index]", "[others]", "[", "${port}", "${", "{", "}", "(", ")",
    ":", ",", "=", ".", "*", ";", "#", "## doc", "\n", "\t", "\r\n", "\\", "é", "日本", "\x00", "\ufeff",
]  # fmt: skip

almost_texts = st.lists(st.sampled_from(PIECES), max_size=60).map(lambda pieces: "ztopo 1\n" + " ".join(pieces))
"""Texts made of the pieces that real ones are made of, nearly always wrong."""

whole_texts = st.integers(0, 2**32 - 1).map(lambda seed: whole_text(Random(seed)))
"""Texts of the whole grammar, in any layout; nearly none means anything."""


def relaid_texts(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Right texts in another layout."""
    return st.builds(lambda text, seed: relaid(Random(seed), text), texts, st.integers(0, 2**32 - 1))


any_texts = st.one_of(st.text(max_size=200), almost_texts)

names = st.from_regex(r"[a-z][a-z0-9_]{0,6}(-[a-z0-9]{1,3})?", fullmatch=True)


@st.composite
def right_texts(draw: st.DrawFn) -> str:
    """Right texts: streamers in a row, sources that push into them, sinks that pull out of them."""
    used = draw(st.lists(names, min_size=3, max_size=8, unique=True))
    count = draw(st.integers(1, len(used) - 2))
    lines = ["ztopo 1", "topology generated"]
    port = 6000
    for number, name in enumerate(used[:count]):
        run = draw(st.sampled_from(["", "run thread; ", "run process; "]))
        way_in = f"bind tcp://*:{port}" if number == 0 or draw(st.booleans()) else f"connect {used[number - 1]}.out"
        way_out = f"bind tcp://*:{port + 1}"
        lines.append(f"device {name}: streamer {{ {run}in {way_in}; out {way_out} }}")
        port += 2
    for name in used[count:-1]:
        many = draw(st.sampled_from(["", "[2]", "[*]"]))
        options = draw(st.sampled_from(["", " { linger 0 }", " { sndhwm 10; linger 250ms }"]))
        lines.append(f"app {name}{many}: PUSH connect {used[0]}.in{options}")
    if "connect" in lines[2]:
        lines[2] = lines[2].replace("connect", "bind")
    lines.append(f"app {used[-1]}: PULL connect {used[count - 1]}.out")
    return "\n".join(lines) + "\n"


class Mistake(NamedTuple):
    """A way to write a statement wrong: what it is called, and what of the statement becomes what, once."""

    code: str
    right: str
    wrong: str


MISTAKES = [Mistake(*each) for each in [
    ("ZT007", r"^(device|app)", r"\1x"), ("ZT007", r"^device", "dvice"), ("ZT009", r" connect ", " conect "), ("ZT009", r" bind ", " bnd "),
    ("ZT008", r"\bin\b (?=bind|connect)", "inn "), ("ZT010", r"^([^:]+):", r"\1"), ("ZT011", r"^([^:]+):", r"\1 ="), ("ZT011", r"\b(?<!\.)(linger|in|run) ", r"\1: "),
    ("ZT013", r" \}$", ""), ("ZT014", r"$", " }"), ("ZT014", r"$", "\n}"), ("ZT015", r"^(device.*?) \{.*", r"\1"), ("ZT016", r"linger", 'linger "'), ("ZT017", r"\[2\]", "[2"),
    ("ZT018", r"linger \w+", "linger 'long'"), ("ZT019", r"10; linger", "10, linger"), ("ZT024", r"; (out|linger)", r" \1"), ("ZT025", r"connect ([^\s;]+)", r"connect \1 \1"),
    ("ZT026", r"run thread", "run python work.py"), ("ZT027", r"tcp://", ""), ("ZT027", r"tcp://\*:", ""), ("ZT028", r"(bind|connect) (?=\S+[.:])", ""),
    ("ZT029", r": (PUSH|PULL)", r": zmq.\1"), ("ZT030", r"^app ", "app 4"), ("ZT030", r"^app ([^:\[]+)", r'app "\1"'), ("ZT031", r"connect [^\s;]+", "connect"),
    ("ZT031", r"linger \w+", "linger"), ("ZT032", r"connect", "->"), ("ZT033", r"connect ([^\s;]+)", r"connect(\1)"), ("ZT034", r"$", "  // why"),
    ("ZT034", r"^", "/* why */ "), ("ZT035", r": ", ": ? "), ("ZT035", r" ", "\xa0"), ("ZT040", r"(bind|connect) ([^\s;]+)", r"\1 \2,"), ("ZT041", r"linger \w+", "linger $long"),
    ("ZT005", r"linger \w+", "linger 1.5s"), ("ZT037", r"linger \w+", "linger long"), ("ZT101", r"connect \S+$", "connect nobody"), ("ZT105", r": streamer", ": streamr"),
    ("ZT106", r": (PUSH|PULL)", ": PUHS"), ("ZT111", r"; out.*? \}", " }"), ("ZT501", r"linger", "lingr"), ("ZT502", r"linger \w+", 'linger "long"'),
]]  # fmt: skip
"""In a line of `right_texts`."""


@st.composite
def wrong_texts(draw: st.DrawFn) -> tuple[str, dict[int, Mistake]]:
    """Right texts with a mistake in some of their lines, and those by the numbers of the lines.

    One brace too many behind one that is missing are no two mistakes: together they close what is open.
    """
    lines = draw(right_texts()).splitlines()
    made: dict[int, Mistake] = {}
    braces = draw(st.sampled_from(["ZT013", "ZT014"]))
    for at in draw(st.lists(st.integers(2, len(lines) - 1), min_size=1, max_size=6, unique=True)):
        ways = [m for m in MISTAKES if re.search(m.right, lines[at]) and m.code != braces]
        made[at] = draw(st.sampled_from(ways))
        lines[at] = re.sub(made[at].right, made[at].wrong, lines[at], count=1)
    text, number, by_line = "", 1, {}
    for at, line in enumerate(lines):
        if at in made:
            by_line[number + (made[at].wrong == "\n}")] = made[at]
        text += line + "\n"
        number += line.count("\n") + 1
    return text, by_line


Files = dict[str, str]
"""Texts by the names of their files; the topology's own is `main.ztopo`."""

LEAF = """ztopo 1
param n: int = 2
param base: int = 7000
param from: socket
## What is to be done.
device jobs{jobs}: streamer {{
    in  connect ${{from}}
    out bind inproc://jobs-${{base}}{own}, tcp://127.0.0.1:${{base{plus}}}
}}
app worker{workers}: PULL connect jobs.out {{ run "python worker.py {worker}"; {restart}; linger 0 }}
process pair{pairs} {{
    context {{ io_threads {threads} }}
    device ahead: queue {{ in bind tcp://127.0.0.1:*; out bind inproc://ahead, ipc://ahead{pair} }}
    device behind: proxy {{ in DEALER connect {ahead}; out {behind} }}
}}
app server{servers} {{
    {run}
    context {{ max_sockets {threads} }}
    device clients{clients}: queue {{ in bind tcp://127.0.0.1:*; out bind inproc://clients }}
    socket answers{answers}: REP connect {own_clients}.out
    socket asks{answers}: DEALER as REQ connect {servers_clients}.in, ahead.in
}}
device lonely: streamer {{ in connect {jobs_in}; out bind ipc://lonely }}
"""

BRANCH = """ztopo 1
param from: socket
param base: int = 8000
device before: streamer {{ in connect ${{from}}; out bind tcp://*:${{base}} }}
use "leaf.ztopo" as leaf{leaves} {{ n 3; base {base}; from before.out }}
"""

MAIN = """ztopo 1
topology modular
app feed{feeds}: PUSH bind tcp://127.0.0.1:*
use "leaf.ztopo" as one{ones} {{ n {n}; base {base}; from {feed} }}
use "branch.ztopo" as tree{trees} {{ from {feed} }}
app sink{sinks}: PULL connect {sink}
app client[*]: REQ connect {client}
app meter {{ socket each{meters}: PULL connect {meter}; socket all: PULL connect {sink_all} }}
device pool-jobs: streamer {{ in connect one.jobs.out; out bind tcp://*:9 }}
device one-0-jobs: queue {{ in connect {queue}; out bind tcp://*:10 }}
"""


RESTARTS = [
    "restart never", "restart always", "restart on-failure max 5 in 1m with rest", "restart always backoff 50ms",
    "restart never max 5 in 1m", "restart always max 5 in 90s backoff 1s..2h with all",
]  # fmt: skip


@st.composite
def modular_files(draw: st.DrawFn) -> Files:
    """Right files that use each other, with replicas and references of every sort; which names exist depends on the numbers."""
    some = st.sampled_from(["", "[1]", "[2]", "[3]"])
    jobs, workers, pairs, servers = (draw(st.sampled_from(["", "[n]", "[2]"])) for _ in range(4))
    clients = draw(st.sampled_from(["", "[1]", "[2]"]))
    ones, trees, leaves, feeds = (draw(some) for _ in range(4))
    sinks, meters = draw(st.sampled_from(["", "[1]", "[2]", "[i: 3]"])), draw(st.sampled_from(["[1]", "[2]"]))

    def which(count: str, here: str) -> str:
        """Brackets that choose among `count`, for what is itself one of `here`."""
        number = {"": 0, "[n]": 2}.get(count) or int(count.strip("[]i: ") or 0)
        ways = [""]
        if number:
            ways.append(f"[{number - 1}]")
        if number and here not in ("", "[*]"):
            ways += ["[others]", f"[index % {number}]", f"[(2 * index + 1) * (index + 1) % {number}]"]
        return draw(st.sampled_from(ways))

    leaf = LEAF.format(
        jobs=jobs,
        own="-${index}" if jobs else "",
        plus=" + index" if jobs else "",
        workers=workers,
        worker="-${index}" if workers else "",
        restart=draw(st.sampled_from(RESTARTS)).replace("5 in", "${2 * index + 1} in" if workers else "5 in"),
        pairs=pairs,
        pair="${index}" if pairs else "",
        threads=draw(st.sampled_from(["2", "${index + 1}"])) if pairs and servers else "1",
        ahead="ahead.out" if not pairs else f"ahead{which(pairs, pairs)}.out",
        behind=draw(st.sampled_from(["DEALER connect ahead.in", "same", "ROUTER bind tcp://*:*"])),
        servers=servers,
        run=draw(st.sampled_from(["", 'run "python server.py"'])),
        clients=clients,
        answers=draw(st.sampled_from(["", "[2]", "[index + 1]"])) if servers else "",
        own_clients=f".clients{which(clients, servers)}",
        servers_clients=f"server{which(servers, servers)}.clients{which(clients, servers)}",
        jobs_in=draw(st.sampled_from(["jobs.in", "jobs.out"])),
    )
    branch = BRANCH.format(leaves=leaves, base="${base + 10 * index}" if leaves else "${base}")
    main = MAIN.format(
        feeds=feeds,
        ones=ones,
        n=draw(st.sampled_from(["2", "${index + 2}"])) if ones else 2,
        base="${7000 + 100 * index}" if ones else 7000,
        feed=f"feed{which(feeds, ones and trees)}",
        trees=trees,
        sinks=sinks,
        sink=f"one{which(ones, sinks)}.jobs{which(jobs, sinks)}.out",
        client=f"one{which(ones, '[*]')}.server{which(servers, '[*]')}.clients.in, one.ahead.in.tcp",
        meters=meters,
        meter=f"tree{which(trees, meters)}.leaf{which(leaves, meters)}.jobs.out",
        sink_all=f"one.jobs.out, tree{which(trees, '')}.before.out",
        queue=f"tree{which(trees, '')}.leaf.server{which(servers, '')}.clients.in",
    )
    return {"main.ztopo": main, "leaf.ztopo": leaf, "branch.ztopo": branch}


@st.composite
def topologies(draw: st.DrawFn) -> topo.Topology:
    """Topologies built in Python: devices of every kind in a row, and apps of every sort around them."""
    used = iter(draw(st.lists(names, min_size=8, max_size=8, unique=True)))
    topology = topo.Topology(draw(st.sampled_from(["built", "a-b"])))
    port = iter(range(5000, 6000))
    somewhere = "connect"
    for _ in range(draw(st.integers(1, 3))):
        name, kind = next(used), draw(st.sampled_from(["queue", "forwarder", "streamer", "proxy"]))
        types: list[Any] = [] if kind != "proxy" else draw(st.sampled_from([["ROUTER", "ROUTER"], ["PULL", "PUSH"]]))
        more: dict[str, Any] = {
            "run": draw(st.sampled_from(["thread", "process"])),
            "replicas": draw(st.sampled_from([None, 1, 3])),
            "restart": draw(restarts),
        }
        if types[:1] == ["ROUTER"]:
            more["swap"] = True
        if draw(st.booleans()):
            more |= {"mon_type": draw(st.sampled_from(["PUB", "PUSH"])), "in_prefix": draw(texts), "out_prefix": draw(texts)}
        device = getattr(topology, kind)(name, *types, **more)
        number = "${index}" if more["replicas"] else ""
        device.bind_in(f"ipc://{name}{number}", f"tcp://*:{next(port)}{number}" if draw(st.booleans()) else "tcp://127.0.0.1:*")
        if somewhere == "connect" or draw(st.booleans()):
            device.bind_out(f"inproc://{name}{number}")
        else:
            device.connect_out(somewhere, "tcp://10.0.0.1:5555")
        if "mon_type" in more:
            device.bind_mon(f"ipc://monitor {name} {number}")
        for option, value in draw(options):
            device.setsockopt_in(option, value)
        somewhere = f"{name}.in" + draw(st.sampled_from(["", ".ipc"]))
    lone = topology.app(
        next(used), draw(st.sampled_from(["REQ", "PUSH", "SUB"])), run=draw(st.sampled_from([None, 'python "a b.py" ${x}']))
    )
    lone.connect(somewhere)
    for option, value in draw(options):
        lone.setsockopt(option, value)
    several = topology.app(
        next(used), inside=draw(st.booleans()), replicas=draw(st.sampled_from([None, 2])), restart=draw(restarts)
    )
    for name in draw(st.lists(names, max_size=3, unique=True)):
        several.socket(name, draw(st.sampled_from(["DEALER", "PAIR"]))).bind(f"ipc://{name}-${{5}}").connect(
            somewhere, lone._name.text
        )
    return topology


restarts = st.one_of(
    st.sampled_from([None, "never", "on-failure", "always"]),
    st.builds(
        topo.RestartPlan, st.sampled_from(["never", "on-failure", "always"]), limit=st.integers(1, 9), period=st.sampled_from([1.0, 90.0]),
        backoff=st.sampled_from([0.001, 0.25]), longest=st.sampled_from([0.25, 3600.0]), also=st.sampled_from(["", "rest", "all"]),
    ),
)  # fmt: skip
texts = st.one_of(st.binary(max_size=6), st.text(st.characters(exclude_categories=["Cs"]), max_size=6))
options = st.lists(
    st.sampled_from([("linger", 0), ("linger", 1500), ("sndhwm", 10), ("sndbuf", 2048), ("immediate", True), ("routing_id", b"a\xff"),
                     ("subscribe", "${x}"), ("reconnect_ivl", -1)]), max_size=3,
)  # fmt: skip
"""Socket options with values as Python has them, right for the socket or not."""
