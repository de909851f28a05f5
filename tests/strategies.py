"""Random texts and topologies for the laws. A new construct of the language is added here."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = (
    "ztopo topology param device process app use host security options in out monitor control socket run thread inside restart max "
    "backoff on context with bind connect same secured by as swap file queue forwarder streamer proxy ROUTER DEALER PUB SUB XPUB "
    "XSUB PULL PUSH REQ REP PAIR linger sndhwm subscribe routing_id prefix port true false index others broker feed worker"
).split()
PIECES = [
    *WORDS, "1", "2", "1.5s", "5min", "250ms", "64KiB", "-1", "10_000", "tcp://*:5555", "tcp://127.0.0.1:${port}", "ipc://x", "inproc://a",
    "tcp://*:*", '"text"', '"${port}"', '"\\x01"', '"', "[3]", "[*]", "[i: 2]", "[index]", "[others]", "[", "${port}", "${", "{", "}", "(", ")",
    ":", ",", "=", ".", "*", ";", "#", "## doc", "\n", "\t", "\r\n", "\\", "é", "日本", "\x00", "\ufeff",
]  # fmt: skip

almost_texts = st.lists(st.sampled_from(PIECES), max_size=60).map(lambda pieces: "ztopo 1\n" + " ".join(pieces))
"""Texts made of the pieces that real ones are made of, nearly always wrong."""

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
