"""What the core consists of, and the two functions that C and Cython callers use in place of libzmq's.

`from topo.devcore._core cimport proxy_steerable, monitored_queue`, or, from C, the capsules of those names in
`topo.devcore._core.__pyx_capi__`. Sockets are what zmq_socket() returned; from Python, `Socket.underlying`. They must
come from pyzmq's own libzmq.
"""

from libc.stdint cimport int64_t, uint64_t

ctypedef union zmq_msg_t:
    unsigned char _[64]
    void *_aligned

cdef struct Part:
    zmq_msg_t msg               # always initialised, empty when it has been sent
    bint more                   # more parts of the same message follow

cdef struct Parts:              # a queue of parts: those from head to tail are in it
    Part *slots
    size_t head
    size_t tail
    size_t room                 # so many slots are initialised

cdef struct Traffic:
    uint64_t messages
    uint64_t parts
    uint64_t bytes

cdef struct SideCounts:
    Traffic received
    Traffic sent
    uint64_t unroutable         # dropped whole: a ROUTER knows no such peer
    uint64_t full               # dropped whole: the peer of a ROUTER takes no more
    uint64_t lost               # dropped whole: the peer vanished between two parts
    uint64_t held               # in hand, waiting for this side to take it

cdef struct Counts:             # the words of report.py, in the same order
    uint64_t magic
    uint64_t version
    uint64_t words
    uint64_t generation         # odd while the words are being written
    uint64_t state
    uint64_t turns
    uint64_t last_message       # nanoseconds since the epoch
    uint64_t waiting            # 1: the frontend does not take what is there for it, 2: the backend
    SideCounts frontend
    SideCounts backend
    uint64_t passed             # copies that the capture socket took
    uint64_t copies             # copies that wait until it does
    uint64_t dropped            # copies dropped whole

cdef struct Side:               # a socket of the device
    void *socket                # NULL: there is none
    int type                    # ZMQ_TYPE
    int fd                      # ZMQ_FD: readable when libzmq has something to tell the socket
    int events                  # ZMQ_EVENTS, when last asked for
    bint stale                  # ask again: something was sent or received since, or fd is readable

cdef struct Way:                # one of the two directions
    Side *source                # NULL: this way is none, for one side never receives or the other never sends
    Side *target
    SideCounts *came            # where what the source gave is counted
    SideCounts *went            # where what the target took is counted
    Parts hand                  # the parts that were read and not yet taken
    zmq_msg_t prefix            # what the monitor gets before the parts
    bint swap                   # exchange the first two parts

cdef struct Wishes:             # what other threads want; the loop looks at the start of each turn
    int terminate
    int pause[2]                # of what comes from the frontend, from the backend
    int drain
    int command
    int64_t quiet               # nanoseconds without a message after which draining is done, -1: never
    uint64_t frontend_due       # draining is done when so many messages came in
    uint64_t backend_due

cdef struct Loop:
    Side frontend
    Side backend
    Side capture
    Side control
    Way ways[2]                 # frontend to backend, and back
    bint prefixed               # the monitor gets prefixes
    Parts copies                # those that the capture socket has not taken
    int capture_hwm             # so many copies may wait, 0: any number
    int64_t subscriptions       # that an XPUB capture has
    Side *culprit               # whose call failed
    Wishes wishes
    int wake_fd                 # readable when a wish was made
    int signal_fd               # readable when a signal came in for the main thread, or -1
    bint in_main                # leave now and then, so that Python runs its signal handlers
    uint64_t checked            # when it last did
    int64_t quiet_since         # while draining, when the loop first had nothing to do after the last message, or 0
    Counts counts
    uint64_t *board             # where others read the counts

cdef int proxy_steerable(void *frontend, void *backend, void *capture, void *control) noexcept nogil
cdef int monitored_queue(void *frontend, void *backend, void *capture,
                         const void *in_prefix, size_t in_size,
                         const void *out_prefix, size_t out_size) noexcept nogil
