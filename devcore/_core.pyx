# cython: language_level=3, binding=True, auto_pickle=False
"""The forwarding loop: one for every kind of device.

How it works. A device has a frontend and a backend, and two ways: from frontend to backend and from backend to frontend (one
way where both are the same socket). The loop goes round in turns. A turn

- heeds what other threads want: terminate, pause, resume, drain, a command that is not for the loop;
- asks each socket that may have changed for its ZMQ_EVENTS;
- gives each way a burst: if its source has something and its target takes something, messages are received and sent without
  waiting, until there is nothing more, the target refuses, or the burst is as long as it may be;
- looks after the capture socket (subscriptions that came in, copies that wait) and the control socket (commands).

If nothing moved, the loop sleeps in poll(2), not in zmq_poll: on each socket's ZMQ_FD, which is readable when libzmq has
something to tell that socket, whatever it is, and on the descriptors of wishes and signals. So what waits but cannot be passed
on does not wake it: no peer, a full peer, a pause take no time. Any call on a socket may use up what made its descriptor
readable; such a socket is stale and asked once more before sleeping. If it was stale again because it refused although it
says that it is ready (an XPUB with NODROP), nothing tells when to go on: then the loop sleeps 1, 2, 4, 8, 10 ms at most.

A message goes part by part: what was received is sent before the next part is received; libzmq hands out whole messages only,
so the next part is there. If the target refuses the first part, the rest is read and the whole message stays in hand, in the
Way, and is the first to go on; that way is not read meanwhile. A ROUTER is never waited for, because only the message says
which peer it is for: what it cannot route or take is dropped whole and counted. EAGAIN after the first part means that the peer
has vanished in between: libzmq has taken back what it had, the message is counted as lost.

The monitor's copies are references. Those of one message queue up while it is passed on, and are handed over when it has been;
up to SNDHWM of them wait if the socket refuses, what is beyond is dropped whole and counted. An XPUB that nobody has
subscribed to gets none.

Nothing here waits for the Python interpreter. Signals interrupt only the sleep, or come through a descriptor; a call that was
interrupted is repeated. All state lies in the Loop, which outlasts the call, so that it can be left and entered again.
"""

from libc.errno cimport EAGAIN, EFAULT, EHOSTUNREACH, EINTR, EINVAL, ENOMEM, ENOTSOCK
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memmove, memset
from cpython.buffer cimport Py_buffer, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec
from posix.unistd cimport close, read, write

import os
import sys
from collections import deque
from weakref import WeakKeyDictionary

import zmq

from topo.devcore import report
from topo.devcore.report import ProxyError
from topo.devcore.signals import SignalPipe, in_main_thread

cdef extern from * nogil:
    """
    #include <errno.h>
    #define core_fail(e) (errno = (e))
    #define core_load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define core_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define core_take(p) __atomic_exchange_n((p), 0, __ATOMIC_ACQ_REL)
    """
    void set_errno "core_fail" (int error)
    int load_int "core_load" (int *place)
    void store_int "core_store" (int *place, int value)
    int take_int "core_take" (int *place)
    uint64_t load_word "core_load" (uint64_t *place)
    void store_word "core_store" (uint64_t *place, uint64_t value)

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd *fds, unsigned long count, int timeout)
    enum: POLLIN

cdef extern from "<dlfcn.h>" nogil:
    void *dlopen(const char *filename, int flags)
    void *dlsym(void *handle, const char *symbol)
    char *dlerror()
    enum: RTLD_LAZY
    enum: RTLD_NOLOAD

# As in zmq.h, which pyzmq does not ship.
cdef enum:
    ZMQ_FD = 14
    ZMQ_EVENTS = 15
    ZMQ_TYPE = 16
    ZMQ_SNDHWM = 23
    ZMQ_DONTWAIT = 1
    ZMQ_SNDMORE = 2
    ZMQ_POLLIN = 1
    ZMQ_POLLOUT = 2
    ZMQ_PAIR = 0
    ZMQ_PUB = 1
    ZMQ_SUB = 2
    ZMQ_REP = 4
    ZMQ_DEALER = 5
    ZMQ_ROUTER = 6
    ZMQ_PULL = 7
    ZMQ_PUSH = 8
    ZMQ_XPUB = 9
    ZMQ_STREAM = 11
    EFSM = 156384763
    ETERM = 156384765

cdef int (*zmq_errno)() noexcept nogil
cdef int (*zmq_getsockopt)(void *socket, int option, void *value, size_t *size) noexcept nogil
cdef int (*zmq_msg_init)(zmq_msg_t *msg) noexcept nogil
cdef int (*zmq_msg_init_size)(zmq_msg_t *msg, size_t size) noexcept nogil
cdef int (*zmq_msg_close)(zmq_msg_t *msg) noexcept nogil
cdef int (*zmq_msg_copy)(zmq_msg_t *to, zmq_msg_t *msg) noexcept nogil
cdef void *(*zmq_msg_data)(zmq_msg_t *msg) noexcept nogil
cdef size_t (*zmq_msg_size)(zmq_msg_t *msg) noexcept nogil
cdef int (*zmq_msg_more)(zmq_msg_t *msg) noexcept nogil
cdef int (*zmq_msg_recv)(zmq_msg_t *msg, void *socket, int flags) noexcept nogil
cdef int (*zmq_msg_send)(zmq_msg_t *msg, void *socket, int flags) noexcept nogil

cdef enum:
    BURST = 512                 # messages that one way passes on before the others have their turn
    MONITOR_BURST = 64          # subscriptions or commands that are read in one turn
    LONGEST_DELAY = 10          # milliseconds
    FIRST_ROOM = 4              # slots of a queue
    BOARD_WORDS = 31            # of Counts
    GENERATION = 3              # the word of that name

cdef enum Reason:
    GO_ON                       # why go_round() returns, if not for an error
    TERMINATED
    DRAINED
    COMMAND
    SIGNALS

cdef enum State:
    STOPPED                     # report.STATES
    RUNNING
    PAUSED
    DRAINING

cdef enum:
    CHECK_SIGNALS_AFTER = 50000000      # nanoseconds of uninterrupted work in the main thread


# --- one call on a socket

cdef int receive(zmq_msg_t *msg, void *socket) noexcept nogil:
    """Receive one part without waiting, again if a signal came in between."""
    cdef int rc
    while True:
        rc = zmq_msg_recv(msg, socket, ZMQ_DONTWAIT)
        if rc >= 0 or zmq_errno() != EINTR:
            return rc


cdef int send(zmq_msg_t *msg, void *socket, bint more) noexcept nogil:
    """Send one part without waiting, again if a signal came in between."""
    cdef int rc
    while True:
        rc = zmq_msg_send(msg, socket, ZMQ_DONTWAIT | (ZMQ_SNDMORE if more else 0))
        if rc >= 0 or zmq_errno() != EINTR:
            return rc


cdef int ask(void *socket, int option, int *value) noexcept nogil:
    """Read an option that is a number, again if a signal came in between."""
    cdef size_t size = sizeof(int)
    while True:
        if zmq_getsockopt(socket, option, value, &size) == 0:
            return 0
        if zmq_errno() != EINTR:
            return -1


cdef bint not_now(int error) noexcept nogil:
    """Whether a call may do later: nothing there, no room, or, at a REP or REQ, not its turn."""
    return error == EAGAIN or error == EFSM


cdef int fail(Loop *loop, Side *culprit) noexcept nogil:
    """Remember whose call failed. `errno` stays as it is."""
    loop.culprit = culprit
    return -1


cdef int look(Loop *loop, Side *side) noexcept nogil:
    """Bring the events of a socket up to date."""
    if not side.stale:
        return 0
    side.stale = False
    return 0 if ask(side.socket, ZMQ_EVENTS, &side.events) == 0 else fail(loop, side)


# --- queues of parts

cdef void empty(zmq_msg_t *msg) noexcept nogil:
    """Throw away the content of an initialised message."""
    zmq_msg_close(msg)
    zmq_msg_init(msg)


cdef int reserve(Parts *parts) noexcept nogil:
    """Make sure that there is a slot at the tail."""
    cdef size_t used = parts.tail - parts.head, room, i
    cdef Part *slots
    if parts.tail < parts.room:
        return 0
    if parts.head * 2 >= parts.room and parts.head > 0:
        memmove(parts.slots, parts.slots + parts.head, used * sizeof(Part))
        room, parts.head, parts.tail = parts.room, 0, used
    else:
        room = parts.room * 2 if parts.room else FIRST_ROOM
        slots = <Part *>realloc(parts.slots, room * sizeof(Part))
        if slots == NULL:
            set_errno(ENOMEM)
            return -1
        parts.slots, parts.room = slots, room
    for i in range(parts.tail, room):
        zmq_msg_init(&parts.slots[i].msg)
    return 0


cdef void drop_tail(Parts *parts, size_t count) noexcept nogil:
    """Throw the last `count` parts away."""
    while count > 0:
        count -= 1
        parts.tail -= 1
        empty(&parts.slots[parts.tail].msg)


cdef bint holds(Parts *parts) noexcept nogil:
    """Whether there is a part in the queue."""
    return parts.head != parts.tail


cdef void release(Parts *parts) noexcept nogil:
    """Give everything back."""
    cdef size_t i
    for i in range(parts.room):
        zmq_msg_close(&parts.slots[i].msg)
    free(parts.slots)
    memset(parts, 0, sizeof(Parts))


# --- the monitor

cdef bint monitored(Loop *loop) noexcept nogil:
    """Whether a copy would be of any use."""
    return loop.capture.socket != NULL and (loop.capture.type != ZMQ_XPUB or loop.subscriptions > 0)


cdef size_t keep_copy(Loop *loop, zmq_msg_t *msg, bint more) noexcept nogil:
    """Queue a reference to a part for the monitor; return how many were queued, 0 if there is no memory."""
    cdef Part *part
    if reserve(&loop.copies) < 0:
        return 0
    part = &loop.copies.slots[loop.copies.tail]
    zmq_msg_copy(&part.msg, msg)
    part.more = more
    loop.copies.tail += 1
    return 1


cdef int flush_copies(Loop *loop) noexcept nogil:
    """Hand over what waits for the monitor, as much as its socket takes."""
    cdef Parts *copies = &loop.copies
    cdef Part *part
    cdef bint first = True, lost = False
    loop.capture.stale = True
    while holds(copies):
        part = &copies.slots[copies.head]
        if pass_part(part, &loop.capture, first, &lost) < 0:
            return 0 if first and zmq_errno() == EAGAIN else fail(loop, &loop.capture)
        copies.head += 1
        first = not part.more
        if first:
            loop.counts.copies -= 1
            loop.counts.dropped += lost
            loop.counts.passed += not lost
            lost = False
    copies.head = copies.tail = 0
    return 0


cdef int hand_over_copy(Loop *loop, size_t parts, size_t expected) noexcept nogil:
    """The last `parts` parts in the queue are a whole copy: hand it over, or let it wait, or drop it."""
    if parts < expected:        # no memory for all of them
        drop_tail(&loop.copies, parts)
        loop.counts.dropped += 1
        return 0
    loop.counts.copies += 1
    if flush_copies(loop) < 0:
        return -1
    if loop.capture_hwm > 0 and loop.counts.copies > <uint64_t>loop.capture_hwm:
        drop_tail(&loop.copies, parts)
        loop.counts.copies -= 1
        loop.counts.dropped += 1
    return 0


cdef int read_subscriptions(Loop *loop) noexcept nogil:
    """Count the monitor's subscriptions; anything else that arrives there is thrown away."""
    cdef zmq_msg_t msg
    cdef unsigned char *data
    cdef int size = 0
    zmq_msg_init(&msg)
    loop.capture.stale = True
    for _ in range(MONITOR_BURST):
        size = receive(&msg, loop.capture.socket)
        if size < 0:
            break
        data = <unsigned char *>zmq_msg_data(&msg)
        if size > 0 and data[0] == 1:
            loop.subscriptions += 1
        elif size > 0 and data[0] == 0 and loop.subscriptions > 0:
            loop.subscriptions -= 1
    zmq_msg_close(&msg)
    return 0 if size >= 0 or zmq_errno() == EAGAIN else fail(loop, &loop.capture)


cdef int attend_capture(Loop *loop) noexcept nogil:
    """Read who listens, and hand over what waits."""
    if loop.capture.socket == NULL or not loop.capture.stale:
        return 0
    if look(loop, &loop.capture) < 0:
        return -1
    if loop.capture.type == ZMQ_XPUB and loop.capture.events & ZMQ_POLLIN and read_subscriptions(loop) < 0:
        return -1
    if holds(&loop.copies) and loop.capture.events & ZMQ_POLLOUT:
        return flush_copies(loop)
    return 0


# --- passing on

cdef bint routes(Side *side) noexcept nogil:
    """Whether the message says which peer it is for."""
    return side.type == ZMQ_ROUTER or side.type == ZMQ_STREAM


cdef int pass_part(Part *part, Side *target, bint first, bint *lost) noexcept nogil:
    """Send one part and return its size. EAGAIN after the first part: the peer has vanished, and the message with it.

    libzmq has then taken back what it had; it swallows the rest, but for a PAIR, where the rest must not be sent.
    """
    cdef int rc
    if not (lost[0] and target.type == ZMQ_PAIR):
        rc = send(&part.msg, target.socket, part.more)
        if rc < 0 and first and routes(target) and zmq_errno() == EAGAIN:
            # A send does not always hear at once that there is room again; asking for the events does.
            rc = ask(target.socket, ZMQ_EVENTS, &target.events)
            if rc == 0:
                rc = send(&part.msg, target.socket, part.more)
        if rc >= 0 or first or zmq_errno() != EAGAIN:
            return rc
        lost[0] = True
    empty(&part.msg)
    return 0


cdef int fetch(Loop *loop, Way *way) noexcept nogil:
    """Receive the next part and put it last in hand."""
    cdef Parts *hand = &way.hand
    cdef Part *part
    cdef int size
    if reserve(hand) < 0:
        return fail(loop, way.source)
    part = &hand.slots[hand.tail]
    size = receive(&part.msg, way.source.socket)
    if size < 0:
        return fail(loop, way.source)
    part.more = zmq_msg_more(&part.msg)
    hand.tail += 1
    way.came.received.parts += 1
    way.came.received.bytes += size
    way.came.received.messages += not part.more
    return 0


cdef int fetch_rest(Loop *loop, Way *way) noexcept nogil:
    """Receive what is missing of the message in hand."""
    while way.hand.slots[way.hand.tail - 1].more:
        if fetch(loop, way) < 0:
            return -1
    return 0


cdef int begin(Loop *loop, Way *way) noexcept nogil:
    """Receive so much of a message that its first part can be sent. 1: done, 0: there is none, -1: errno."""
    cdef Part *slots
    cdef zmq_msg_t first
    if fetch(loop, way) < 0:
        return 0 if not_now(zmq_errno()) else -1
    if way.swap and way.hand.slots[0].more:
        if fetch(loop, way) < 0:
            return -1
        slots = way.hand.slots
        first = slots[0].msg
        slots[0].msg = slots[1].msg
        slots[1].msg = first
    return 1


cdef int drop_message(Loop *loop, Way *way, uint64_t *count) noexcept nogil:
    """Throw away the whole message in hand, and count it."""
    if fetch_rest(loop, way) < 0:
        return -1
    drop_tail(&way.hand, way.hand.tail - way.hand.head)
    way.hand.head = way.hand.tail = 0
    count[0] += 1
    return 1


cdef int refused(Loop *loop, Way *way, int error, bint first) noexcept nogil:
    """The target did not take a part: drop the message, or keep it in hand."""
    if not first:               # it took the first one, so it is no longer what it was: the context ends
        set_errno(error)
        return fail(loop, way.target)
    if error == EHOSTUNREACH:
        return drop_message(loop, way, &way.went.unroutable)
    if error == EAGAIN and routes(way.target):
        return drop_message(loop, way, &way.went.full)
    if fetch_rest(loop, way) < 0:
        return -1
    if not_now(error):
        return 0
    set_errno(error)
    return fail(loop, way.target)


cdef int forward(Loop *loop, Way *way) noexcept nogil:
    """Pass on one message, the one in hand first. 1: it has gone, 0: not now, -1: errno."""
    cdef Parts *hand = &way.hand
    cdef Part *part
    cdef bint copying = monitored(loop), more = True, first = True, lost = False
    cdef size_t kept = 0
    cdef uint64_t parts = 0, size = 0
    cdef int rc, error
    if not holds(hand):
        rc = begin(loop, way)
        if rc <= 0:
            return rc
    if routes(way.target) and not hand.slots[hand.head].more:
        return drop_message(loop, way, &way.went.unroutable)
    while more:
        part = &hand.slots[hand.head]
        more = part.more
        if copying:
            if first and loop.prefixed:
                kept += keep_copy(loop, &way.prefix, True)
            kept += keep_copy(loop, &part.msg, more)
        rc = pass_part(part, way.target, first, &lost)
        if rc < 0:
            error = zmq_errno()
            drop_tail(&loop.copies, kept)
            return refused(loop, way, error, first)
        parts += 1
        size += rc
        first = False
        hand.head += 1
        if not holds(hand):
            hand.head = hand.tail = 0
            if more and fetch(loop, way) < 0:
                error = zmq_errno()
                drop_tail(&loop.copies, kept)
                set_errno(error)
                return -1
    if lost:
        way.went.lost += 1
    else:
        way.went.sent.messages += 1
        way.went.sent.parts += parts
        way.went.sent.bytes += size
    if copying and hand_over_copy(loop, kept, parts + loop.prefixed) < 0:
        return -1
    return 1


cdef bint ready(Way *way) noexcept nogil:
    """Whether there is something for the target."""
    return holds(&way.hand) or way.source.events & ZMQ_POLLIN


cdef bint takes(Way *way) noexcept nogil:
    """Whether a message can be sent, as far as libzmq says. A REP on both sides says so only once it has received."""
    cdef Side *side = way.target
    return side.events & ZMQ_POLLOUT or routes(side) or (side == way.source and side.type == ZMQ_REP)


cdef int burst(Loop *loop, Way *way) noexcept nogil:
    """Pass on what is there, up to the length of a burst. 1: something moved, 0: nothing did, -1: errno."""
    cdef int rc = 1, n = 0
    if not ready(way) or not takes(way):
        return 0
    way.source.stale = way.target.stale = True
    while rc > 0 and n < BURST:
        rc = forward(loop, way)
        n += rc
    return -1 if rc < 0 else n > 0


# --- the control socket

cdef bint says(zmq_msg_t *msg, const char *word, size_t size) noexcept nogil:
    return zmq_msg_size(msg) == size and memcmp(zmq_msg_data(msg), word, size) == 0


cdef int reply(Loop *loop, const uint64_t *values, int count) noexcept nogil:
    """Send numbers, or an empty part, to whoever commands. Who does not take the answer, does not get it."""
    cdef zmq_msg_t msg
    cdef int i, rc = 0
    for i in range(count if count else 1):
        zmq_msg_init_size(&msg, sizeof(uint64_t) if count else 0)
        if count:
            memcpy(zmq_msg_data(&msg), &values[i], sizeof(uint64_t))
        rc = send(&msg, loop.control.socket, i + 1 < count)
        if rc < 0:
            zmq_msg_close(&msg)
            return 0 if zmq_errno() == EAGAIN else fail(loop, &loop.control)
    return 0


cdef int reply_statistics(Loop *loop) noexcept nogil:
    """Parts and bytes, as zmq_proxy_steerable(3) says."""
    cdef SideCounts *sides[2]
    cdef uint64_t values[8]
    cdef int i
    sides[0], sides[1] = &loop.counts.frontend, &loop.counts.backend
    for i in range(2):
        values[4 * i], values[4 * i + 1] = sides[i].received.parts, sides[i].received.bytes
        values[4 * i + 2], values[4 * i + 3] = sides[i].sent.parts, sides[i].sent.bytes
    return reply(loop, values, 8)


cdef int obey(Loop *loop, zmq_msg_t *msg) noexcept nogil:
    """Do what a message on the control socket says. What is no command changes nothing; a REP always answers."""
    if says(msg, b"STATISTICS", 10):
        return reply_statistics(loop)
    if says(msg, b"PAUSE", 5):
        store_int(&loop.wishes.pause[0], 1)
        store_int(&loop.wishes.pause[1], 1)
    elif says(msg, b"RESUME", 6):
        store_int(&loop.wishes.pause[0], 0)
        store_int(&loop.wishes.pause[1], 0)
    elif says(msg, b"TERMINATE", 9):
        store_int(&loop.wishes.terminate, 1)
    return reply(loop, NULL, 0) if loop.control.type == ZMQ_REP else 0


cdef int next_command(Loop *loop, zmq_msg_t *msg, zmq_msg_t *rest) noexcept nogil:
    """Receive a command, which is the first part of a message. 1: done, 0: there is none, -1: errno."""
    cdef bint more
    if receive(msg, loop.control.socket) < 0:
        return 0 if not_now(zmq_errno()) else fail(loop, &loop.control)
    more = zmq_msg_more(msg)
    while more:
        if receive(rest, loop.control.socket) < 0:
            return fail(loop, &loop.control)
        more = zmq_msg_more(rest)
    return 1


cdef int attend_control(Loop *loop) noexcept nogil:
    """Do what was commanded. 1: something was, 0: nothing, -1: errno."""
    cdef zmq_msg_t msg, rest
    cdef int n = 0, rc = 1
    if loop.control.socket == NULL or not loop.control.stale:
        return 0
    if look(loop, &loop.control) < 0:
        return -1
    if not loop.control.events & ZMQ_POLLIN:
        return 0
    loop.control.stale = True
    zmq_msg_init(&msg)
    zmq_msg_init(&rest)
    while rc > 0 and n < MONITOR_BURST:
        rc = next_command(loop, &msg, &rest)
        n += rc > 0
        if rc > 0 and obey(loop, &msg) < 0:
            rc = -1
    zmq_msg_close(&rest)
    zmq_msg_close(&msg)
    return -1 if rc < 0 else n > 0


# --- the loop

cdef int64_t clock(int which) noexcept nogil:
    cdef timespec now
    clock_gettime(which, &now)
    return <int64_t>now.tv_sec * 1000000000 + now.tv_nsec


cdef void publish(Loop *loop, State state) noexcept nogil:
    """Copy the counts to where others read them."""
    cdef uint64_t *words = <uint64_t *>&loop.counts
    cdef size_t i
    loop.counts.state = state
    for i in range(2):
        if loop.ways[i].source != NULL:
            loop.ways[i].went.held = holds(&loop.ways[i].hand)
    loop.counts.generation += 1
    store_word(&loop.board[GENERATION], loop.counts.generation)
    for i in range(<size_t>BOARD_WORDS):
        if i != GENERATION:
            store_word(&loop.board[i], words[i])
    loop.counts.generation += 1
    store_word(&loop.board[GENERATION], loop.counts.generation)


cdef State state_of(Loop *loop) noexcept nogil:
    cdef int i, going = 0, paused = 0
    for i in range(2):
        if load_int(&loop.wishes.pause[i]):
            paused += 1
        elif loop.ways[i].source != NULL:
            going += 1
    if paused and not going:
        return PAUSED
    return DRAINING if load_int(&loop.wishes.drain) else RUNNING


cdef bint drained(Loop *loop) noexcept nogil:
    """Whether draining is done: all that was announced has gone on, or nothing has come for so long."""
    cdef Wishes *wishes = &loop.wishes
    if not load_int(&wishes.drain):
        return False
    if wishes.quiet >= 0 and loop.quiet_since and clock(CLOCK_MONOTONIC) - loop.quiet_since >= wishes.quiet:
        return True
    return (loop.counts.frontend.received.messages >= wishes.frontend_due
            and loop.counts.backend.received.messages >= wishes.backend_due
            and not holds(&loop.ways[0].hand) and not holds(&loop.ways[1].hand))


cdef Reason heed(Loop *loop) noexcept nogil:
    """What others want of the loop, other than to go on."""
    if take_int(&loop.wishes.terminate):
        return TERMINATED
    if drained(loop):
        store_int(&loop.wishes.drain, 0)
        loop.quiet_since = 0
        return DRAINED
    if take_int(&loop.wishes.command):
        return COMMAND
    if loop.in_main and loop.counts.last_message - loop.checked > CHECK_SIGNALS_AFTER:
        loop.checked = loop.counts.last_message
        return SIGNALS
    return GO_ON


cdef int pass_on(Loop *loop) noexcept nogil:
    """Give each way a burst. 1: something moved, 0: nothing did, -1: errno."""
    cdef int i, rc, moved = 0
    for i in range(2):
        if loop.ways[i].source != NULL and not load_int(&loop.wishes.pause[i]):
            rc = burst(loop, &loop.ways[i])
            if rc < 0:
                return -1
            moved |= rc
    if moved:
        loop.counts.last_message = clock(CLOCK_REALTIME)
        loop.quiet_since = 0
    return moved


cdef uint64_t waiting_for(Loop *loop) noexcept nogil:
    """The sides that do not take what is there for them."""
    cdef uint64_t sides = 0
    cdef Way *way
    cdef int i
    for i in range(2):
        way = &loop.ways[i]
        if way.source != NULL and ready(way) and (not takes(way) or way.target.stale):
            sides |= 2 if i == 0 else 1
    return sides


cdef bint any_stale(Loop *loop) noexcept nogil:
    return loop.frontend.stale or loop.backend.stale or loop.capture.stale or loop.control.stale


cdef void expect_news(Loop *loop, int busy) noexcept nogil:
    """A loop that does not sleep is told nothing: look at frontend and backend in each turn, at the others from the next on."""
    if busy > 0:
        loop.frontend.stale = True
        loop.backend.stale = loop.backend.socket != NULL
    if busy > 1:
        loop.capture.stale = loop.capture.socket != NULL
        loop.control.stale = loop.control.socket != NULL


cdef int until_quiet(Loop *loop, int delay) noexcept nogil:
    """So many milliseconds may the loop sleep: `delay`, -1 for ever, less while draining."""
    cdef int64_t rest
    if not load_int(&loop.wishes.drain) or loop.wishes.quiet < 0:
        return delay
    if loop.quiet_since == 0:
        loop.quiet_since = clock(CLOCK_MONOTONIC)
    rest = (loop.quiet_since + loop.wishes.quiet - clock(CLOCK_MONOTONIC)) // 1000000 + 1
    rest = min(max(rest, 0), 1000000)
    return <int>rest if delay < 0 else <int>min(rest, <int64_t>delay)


cdef Reason sleep(Loop *loop, int timeout) noexcept nogil:
    """Wait until libzmq has something to tell a socket, a wish is made or a signal comes in."""
    cdef pollfd fds[6]
    cdef Side *sides[4]
    cdef char crumbs[64]
    cdef int i
    sides[0], sides[1], sides[2], sides[3] = &loop.frontend, &loop.backend, &loop.capture, &loop.control
    for i in range(4):
        fds[i].fd = sides[i].fd if sides[i].socket != NULL else -1
    fds[4].fd, fds[5].fd = loop.wake_fd, loop.signal_fd
    for i in range(6):
        fds[i].events, fds[i].revents = POLLIN, 0
    if poll(fds, 6, timeout) < 0:
        return SIGNALS
    for i in range(4):
        if fds[i].revents:
            sides[i].stale = True
    if fds[4].revents:
        read(loop.wake_fd, crumbs, sizeof(crumbs))
    return SIGNALS if fds[5].revents else GO_ON


cdef int go_round(Loop *loop) noexcept nogil:
    """Turn until there is a reason to leave, and return it, or -1 with errno and the culprit."""
    cdef int moved, busy = 2, delay = 1     # busy: turns that moved something since the last sleep
    cdef bint once_more = False, lied
    cdef Reason reason
    while True:
        reason = heed(loop)
        if reason != GO_ON:
            return reason
        loop.counts.turns += 1
        expect_news(loop, busy)
        if look(loop, &loop.frontend) < 0 or look(loop, &loop.backend) < 0:
            return -1
        if attend_capture(loop) < 0:    # first: who has subscribed before a message came gets its copy
            return -1
        moved = pass_on(loop)
        if moved < 0:
            return -1
        loop.counts.waiting = 0 if moved else waiting_for(loop)
        moved |= attend_control(loop)
        if moved < 0:
            return -1
        publish(loop, state_of(loop))
        if moved:
            busy, once_more, delay = busy + 1, False, 1
        elif any_stale(loop) and not once_more:
            once_more = True
        else:
            lied = any_stale(loop)      # it says that it is ready, and refuses
            reason = sleep(loop, until_quiet(loop, delay if lied else -1))
            if reason != GO_ON:
                return reason
            delay = min(2 * delay, <int>LONGEST_DELAY) if lied else 1
            busy, once_more = 0, False


# --- what a loop is made of

cdef int open_side(Side *side, void *socket) noexcept nogil:
    """Learn what the loop must know of a socket."""
    side.socket, side.events, side.stale = socket, 0, False
    if ask(socket, ZMQ_TYPE, &side.type) == 0 and ask(socket, ZMQ_FD, &side.fd) == 0:
        return 0
    return -1


cdef int set_prefix(zmq_msg_t *msg, const void *data, size_t size) noexcept nogil:
    zmq_msg_close(msg)
    if zmq_msg_init_size(msg, size) < 0:
        zmq_msg_init(msg)
        set_errno(ENOMEM)
        return -1
    memcpy(zmq_msg_data(msg), data, size)
    return 0


cdef void detach_capture(Loop *loop) noexcept nogil:
    """Leave the monitor. The copies that it did not take are dropped."""
    loop.counts.dropped += loop.counts.copies
    loop.counts.copies = 0
    release(&loop.copies)
    loop.capture.socket = NULL


cdef int attach_capture(Loop *loop, void *socket) noexcept nogil:
    """Take a socket for the monitor. It must be able to send at any time."""
    cdef int type
    if open_side(&loop.capture, socket) < 0 or ask(socket, ZMQ_SNDHWM, &loop.capture_hwm) < 0:
        loop.capture.socket = NULL
        return fail(loop, &loop.capture)
    type = loop.capture.type
    if type == ZMQ_PUB or type == ZMQ_XPUB or type == ZMQ_PUSH or type == ZMQ_DEALER or type == ZMQ_PAIR:
        return 0
    loop.capture.socket = NULL
    set_errno(EINVAL)
    return fail(loop, &loop.capture)


cdef void open_loop(Loop *loop, uint64_t *board) noexcept nogil:
    """Start from nothing."""
    cdef int i
    memset(loop, 0, sizeof(Loop))
    loop.wake_fd = loop.signal_fd = -1
    loop.board = board
    loop.counts.magic, loop.counts.version, loop.counts.words = MAGIC, VERSION, BOARD_WORDS
    for i in range(2):
        zmq_msg_init(&loop.ways[i].prefix)
    publish(loop, STOPPED)


cdef void open_way(Way *way, Side *source, Side *target, SideCounts *came, SideCounts *went) noexcept nogil:
    """Let messages go from source to target, if they ever can."""
    way.came, way.went = came, went
    if source.type == ZMQ_PUSH or source.type == ZMQ_PUB or target.type == ZMQ_PULL or target.type == ZMQ_SUB:
        return
    way.source, way.target = source, target


cdef int attach(Loop *loop, void *frontend, void *backend, void *capture, void *control) noexcept nogil:
    """Take the sockets. -1 with errno and the culprit if one will not do."""
    cdef Counts *counts = &loop.counts
    if open_side(&loop.frontend, frontend) < 0:
        return fail(loop, &loop.frontend)
    if frontend != backend and open_side(&loop.backend, backend) < 0:
        return fail(loop, &loop.backend)
    if control != NULL and open_side(&loop.control, control) < 0:
        return fail(loop, &loop.control)
    if frontend == backend:
        open_way(&loop.ways[0], &loop.frontend, &loop.frontend, &counts.frontend, &counts.backend)
    else:
        open_way(&loop.ways[0], &loop.frontend, &loop.backend, &counts.frontend, &counts.backend)
        open_way(&loop.ways[1], &loop.backend, &loop.frontend, &counts.backend, &counts.frontend)
    return attach_capture(loop, capture) if capture != NULL else 0


cdef void close_loop(Loop *loop) noexcept nogil:
    """Give everything back."""
    cdef int i
    for i in range(2):
        release(&loop.ways[i].hand)
        zmq_msg_close(&loop.ways[i].prefix)
    release(&loop.copies)


# --- for C callers

cdef int run_to_the_end(Loop *loop) noexcept nogil:
    """Run as zmq_proxy() does: 0 after TERMINATE, else -1 with errno; EINTR only if no message is in hand."""
    cdef int rc
    while True:
        rc = go_round(loop)
        if rc == SIGNALS:
            if holds(&loop.ways[0].hand) or holds(&loop.ways[1].hand):
                continue
            set_errno(EINTR)
            return -1
        return rc if rc < 0 else 0


cdef int run_with(void *frontend, void *backend, void *capture, void *control, const void *in_prefix, size_t in_size,
                  const void *out_prefix, size_t out_size, bint monitor) noexcept nogil:
    cdef Loop loop
    cdef Counts board
    cdef int rc = 0, error = 0
    if frontend == NULL or backend == NULL:
        set_errno(EFAULT)
        return -1
    open_loop(&loop, <uint64_t *>&board)
    if attach(&loop, frontend, backend, capture, control) < 0:
        rc = -1
    elif monitor:
        loop.prefixed = True
        loop.ways[0].swap = loop.ways[1].swap = loop.frontend.type == ZMQ_ROUTER and loop.backend.type == ZMQ_ROUTER
        if set_prefix(&loop.ways[0].prefix, in_prefix, in_size) < 0 or set_prefix(&loop.ways[1].prefix, out_prefix, out_size) < 0:
            rc = -1
    if rc == 0:
        rc = run_to_the_end(&loop)
    error = zmq_errno()
    close_loop(&loop)
    set_errno(error)
    return rc


cdef int proxy_steerable(void *frontend, void *backend, void *capture, void *control) noexcept nogil:
    """What zmq_proxy_steerable(3) says. What is in hand at the end, one message in each direction, is given up."""
    return run_with(frontend, backend, capture, control, NULL, 0, NULL, 0, False)


cdef int monitored_queue(void *frontend, void *backend, void *capture, const void *in_prefix, size_t in_size,
                         const void *out_prefix, size_t out_size) noexcept nogil:
    """A proxy whose capture socket gets a prefix before the parts, and which swaps the first two parts between two ROUTERs."""
    return run_with(frontend, backend, capture, NULL, in_prefix, in_size, out_prefix, out_size, True)


# --- for Python callers

cdef void *pointer_of(socket, str side) except NULL:
    """The socket as libzmq knows it."""
    cdef size_t address = socket.underlying
    if address == 0:
        raise ProxyError(ENOTSOCK, side)
    return <void *>address


cdef class Proxy:
    cdef Loop loop
    cdef Counts counts
    cdef Py_buffer memory
    cdef bint opened, running
    cdef int waker
    cdef object sockets, commands, subscriptions
    cdef object __weakref__

    def __cinit__(self, *arguments, **options):
        open_loop(&self.loop, <uint64_t *>&self.counts)
        self.waker = -1
        self.commands = deque()

    def __init__(self, frontend, backend, capture=None, *, prefixes=None, swap=False, control=None, memory=None):
        if self.opened:
            raise RuntimeError("a Proxy is made once")
        self.opened = True
        if memory is not None:
            PyObject_GetBuffer(memory, &self.memory, PyBUF_WRITABLE)
            if self.memory.len < <Py_ssize_t>sizeof(Counts) or <size_t>self.memory.buf % sizeof(uint64_t):
                raise ValueError(f"the memory for statistics must have {sizeof(Counts)} bytes, aligned to {sizeof(uint64_t)}")
            self.loop.board = <uint64_t *>self.memory.buf
            publish(&self.loop, STOPPED)
        self.subscriptions = WeakKeyDictionary()    # of capture sockets that were here before
        if hasattr(os, "eventfd"):
            self.waker = self.loop.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self.loop.wake_fd, self.waker = os.pipe()
            os.set_blocking(self.loop.wake_fd, False)
            os.set_blocking(self.waker, False)
        self.sockets = {"frontend": frontend, "backend": backend, "capture": capture, "control": control}
        self.loop.ways[0].swap = self.loop.ways[1].swap = swap
        self.loop.prefixed = prefixes is not None
        if prefixes is not None:
            self.set_prefixes(prefixes[0], prefixes[1])
        self.attach_all()

    def __dealloc__(self):
        close_loop(&self.loop)
        if self.memory.buf != NULL:
            PyBuffer_Release(&self.memory)
        if self.loop.wake_fd >= 0:
            close(self.loop.wake_fd)
        if self.waker >= 0 and self.waker != self.loop.wake_fd:
            close(self.waker)

    cdef set_prefixes(self, bytes forth, bytes back):
        """Remember what the monitor gets before the parts of each way."""
        if (set_prefix(&self.loop.ways[0].prefix, <const char *>forth, len(forth)) < 0
                or set_prefix(&self.loop.ways[1].prefix, <const char *>back, len(back)) < 0):
            raise MemoryError

    cdef attach_all(self):
        """Take the sockets as they are now."""
        pointers = {side: <size_t>pointer_of(socket, side) for side, socket in self.sockets.items() if socket is not None}
        cdef size_t frontend = pointers["frontend"], backend = pointers["backend"]
        cdef size_t capture = pointers.get("capture", 0), control = pointers.get("control", 0)
        if attach(&self.loop, <void *>frontend, <void *>backend, <void *>capture, <void *>control) < 0:
            raise self.error(zmq_errno())

    cdef error(self, int number):
        """The error of the call that failed last."""
        names = {<size_t>&self.loop.frontend: "frontend", <size_t>&self.loop.backend: "backend",
                 <size_t>&self.loop.capture: "capture", <size_t>&self.loop.control: "control"}
        return ProxyError(number, names[<size_t>self.loop.culprit])

    def run(self):
        if self.running:
            raise RuntimeError("this Proxy runs already")
        self.running = True
        signals = None
        try:
            self.attach_all()
            if in_main_thread():
                signals = SignalPipe()
                self.loop.signal_fd, self.loop.in_main = signals.fd, True
            return self.run_between_signals(signals)
        finally:
            self.loop.signal_fd, self.loop.in_main = -1, False
            publish(&self.loop, STOPPED)
            self.running = False
            if signals is not None:
                signals.close()

    cdef run_between_signals(self, signals):
        cdef int rc = SIGNALS, error = 0
        while rc == SIGNALS or rc == COMMAND:
            if self.commands:
                return "command"
            if signals is not None:
                signals.pass_on()
            PyErr_CheckSignals()
            with nogil:
                rc = go_round(&self.loop)
                error = zmq_errno()
        if rc < 0 and error != ETERM:
            raise self.error(error)
        return "context terminated" if rc < 0 else {TERMINATED: "terminated", DRAINED: "drained"}[rc]

    cdef wake(self):
        """Make the loop heed what is wished, wherever it is."""
        cdef uint64_t one = 1
        write(self.waker, &one, sizeof(one))    # a full pipe wakes it as well

    def terminate(self):
        store_int(&self.loop.wishes.terminate, 1)
        self.wake()

    def pause(self, side=None):
        self.let_pause(side, 1)

    def resume(self, side=None):
        self.let_pause(side, 0)

    cdef let_pause(self, side, int wish):
        if side not in (None, "frontend", "backend"):
            raise ValueError(f"there is no side {side!r}")
        if side != "backend":
            store_int(&self.loop.wishes.pause[0], wish)
        if side != "frontend":
            store_int(&self.loop.wishes.pause[1], wish)
        self.wake()

    def drain(self, *, quiet=None, received=None):
        if quiet is None and received is None:
            raise ValueError("draining ends after a quiet time or when given counts have come in: say which")
        frontend_due, backend_due = received or (2**64 - 1, 2**64 - 1)
        self.loop.wishes.quiet = -1 if quiet is None else int(quiet * 1e9)
        self.loop.wishes.frontend_due, self.loop.wishes.backend_due = frontend_due, backend_due
        store_int(&self.loop.wishes.drain, 1)
        self.wake()

    def post(self, command):
        self.commands.append(command)
        store_int(&self.loop.wishes.command, 1)
        self.wake()

    def take(self):
        return self.commands.popleft() if self.commands else None

    @property
    def capture(self):
        return self.sockets["capture"]

    @capture.setter
    def capture(self, socket):
        if self.running:
            raise RuntimeError("the capture socket can be changed between two runs only")
        address = 0 if socket is None else <size_t>pointer_of(socket, "capture")
        if self.sockets["capture"] is not None:
            self.subscriptions[self.sockets["capture"]] = self.loop.subscriptions
        detach_capture(&self.loop)
        self.sockets["capture"] = None
        if socket is not None and attach_capture(&self.loop, <void *><size_t>address) < 0:
            raise self.error(zmq_errno())
        self.sockets["capture"] = socket
        self.loop.subscriptions = self.subscriptions.get(socket, 0) if socket is not None else 0
        publish(&self.loop, STOPPED)

    def statistics(self):
        cdef uint64_t words[BOARD_WORDS]
        cdef uint64_t before = 1
        cdef size_t i
        while before % 2 or load_word(&self.loop.board[GENERATION]) != before:
            before = load_word(&self.loop.board[GENERATION])
            for i in range(<size_t>BOARD_WORDS):
                words[i] = load_word(&self.loop.board[i])
        return report.from_words([words[i] for i in range(<size_t>BOARD_WORDS)])


# --- libzmq

cdef void *find(void *library, str name) except NULL:
    """The address of a function of pyzmq's libzmq."""
    place = dlsym(library, name.encode())
    if place == NULL:
        raise ImportError(f"pyzmq's libzmq has no {name}")
    return place


cdef int bind_libzmq() except -1:
    """Take the functions from the libzmq that pyzmq has loaded: another one would not know its sockets."""
    global zmq_errno, zmq_getsockopt, zmq_msg_init, zmq_msg_init_size, zmq_msg_close, zmq_msg_copy, zmq_msg_data
    global zmq_msg_size, zmq_msg_more, zmq_msg_recv, zmq_msg_send
    names = ("zmq.backend.cython._zmq", "zmq.backend.cffi._cffi")
    paths = [os.fsencode(sys.modules[name].__file__) for name in names if name in sys.modules]
    if not paths:
        raise ImportError(f"pyzmq {zmq.__version__} has none of the backends {' and '.join(names)}")
    library = dlopen(paths[0], RTLD_LAZY | RTLD_NOLOAD)
    if library == NULL:
        raise ImportError(f"cannot reach pyzmq's libzmq: {dlerror().decode()}")
    zmq_errno = <int (*)() noexcept nogil>find(library, "zmq_errno")
    zmq_getsockopt = <int (*)(void *, int, void *, size_t *) noexcept nogil>find(library, "zmq_getsockopt")
    zmq_msg_init = <int (*)(zmq_msg_t *) noexcept nogil>find(library, "zmq_msg_init")
    zmq_msg_init_size = <int (*)(zmq_msg_t *, size_t) noexcept nogil>find(library, "zmq_msg_init_size")
    zmq_msg_close = <int (*)(zmq_msg_t *) noexcept nogil>find(library, "zmq_msg_close")
    zmq_msg_copy = <int (*)(zmq_msg_t *, zmq_msg_t *) noexcept nogil>find(library, "zmq_msg_copy")
    zmq_msg_data = <void *(*)(zmq_msg_t *) noexcept nogil>find(library, "zmq_msg_data")
    zmq_msg_size = <size_t (*)(zmq_msg_t *) noexcept nogil>find(library, "zmq_msg_size")
    zmq_msg_more = <int (*)(zmq_msg_t *) noexcept nogil>find(library, "zmq_msg_more")
    zmq_msg_recv = <int (*)(zmq_msg_t *, void *, int) noexcept nogil>find(library, "zmq_msg_recv")
    zmq_msg_send = <int (*)(zmq_msg_t *, void *, int) noexcept nogil>find(library, "zmq_msg_send")
    return 0


cdef uint64_t MAGIC = report.MAGIC
cdef uint64_t VERSION = report.VERSION

if len(report.WORDS) != BOARD_WORDS or sizeof(Counts) != BOARD_WORDS * sizeof(uint64_t):
    raise ImportError("the core was built for another layout of the statistics: build it again")
bind_libzmq()
