/* One end of a benchmark: sends, receives, asks or answers as fast as libzmq can, and says how long it took.
 *
 *     load LIBZMQ ROLE bind|connect ENDPOINT COUNT SIZE WINDOW
 *
 * As a program it prints "ready" once its socket is there; starts with the first line on its standard input; prints its result as
 * "MESSAGES SECONDS CPU_SECONDS P50 P99"; and keeps its socket open until its standard input ends. As a library it does the same in
 * the caller's context, for inproc: load_open() makes the socket, load_run() does the work. libzmq's own functions are found at run
 * time, because pyzmq ships no zmq.h.
 */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct { unsigned char _[64] __attribute__ ((aligned (sizeof (void *)))); } message;

static void *(*ctx_new) (void);
static void *(*new_socket) (void *, int);
static int (*bind_to) (void *, const char *);
static int (*connect_to) (void *, const char *);
static int (*close_socket) (void *);
static int (*set_option) (void *, int, const void *, size_t);
static int (*msg_init) (message *);
static int (*msg_init_size) (message *, size_t);
static void *(*msg_data) (message *);
static int (*msg_close) (message *);
static int (*msg_more) (message *);
static int (*msg_send) (message *, void *, int);
static int (*msg_recv) (message *, void *, int);

enum { SUB = 2, DEALER = 5, PULL = 7, PUSH = 8, XPUB = 9, DONTWAIT = 1, SNDMORE = 2, SUBSCRIBE = 6, SNDHWM = 23, RCVHWM = 24,
       RCVTIMEO = 27, LINGER = 17 };

static void check (int good, const char *what)
{
    if (!good) {
        fprintf (stderr, "load: %s failed\n", what);
        exit (1);
    }
}

static double now (clockid_t clock)
{
    struct timespec t;
    clock_gettime (clock, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void find (void *library, void *place, const char *name)
{
    void *function = dlsym (library, name);
    check (function != NULL, name);
    memcpy (place, &function, sizeof function);
}

static void find_all (const char *path)
{
    void *library = dlopen (path, RTLD_NOW);
    check (library != NULL, path);
    find (library, &ctx_new, "zmq_ctx_new");
    find (library, &new_socket, "zmq_socket");
    find (library, &bind_to, "zmq_bind");
    find (library, &connect_to, "zmq_connect");
    find (library, &close_socket, "zmq_close");
    find (library, &set_option, "zmq_setsockopt");
    find (library, &msg_init, "zmq_msg_init");
    find (library, &msg_init_size, "zmq_msg_init_size");
    find (library, &msg_data, "zmq_msg_data");
    find (library, &msg_close, "zmq_msg_close");
    find (library, &msg_more, "zmq_msg_more");
    find (library, &msg_send, "zmq_msg_send");
    find (library, &msg_recv, "zmq_msg_recv");
}

static void send_one (void *socket, size_t size)
{
    message msg;
    check (msg_init_size (&msg, size) == 0, "zmq_msg_init_size");
    memset (msg_data (&msg), 'x', size < 64 ? size : 64);
    check (msg_send (&msg, socket, 0) >= 0, "zmq_msg_send");
}

/* One whole message; 0 if none came in time. */
static int receive_one (void *socket, message *msg)
{
    do
        if (msg_recv (msg, socket, 0) < 0)
            return 0;
    while (msg_more (msg));
    return 1;
}

static int by_size (const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

typedef struct {
    void *socket;
    const char *role;
    long count, window;
    size_t size;
} load;

typedef struct {
    double messages, seconds, cpu, p50, p99;        /* cpu: of the thread that ran it */
} result;

static int is (const load *l, const char *role)
{
    return !strcmp (l->role, role);
}

/* A socket for a role, bound or connected. The context is the caller's, or a new one if there is none. */
load *load_open (const char *libzmq, void *context, const char *role, const char *where, const char *endpoint, long count, size_t size, long window)
{
    load *l = malloc (sizeof (load));
    const int unlimited = 0, wait = 300;
    find_all (libzmq);
    *l = (load) {NULL, strdup (role), count, window, size};
    int asks = is (l, "ask"), answers = is (l, "answer"), listens = is (l, "listen");
    int type = is (l, "push") ? PUSH : is (l, "pull") ? PULL : is (l, "pub") ? XPUB : asks || answers ? DEALER : SUB;
    l->socket = new_socket (context ? context : ctx_new (), type);
    check (l->socket != NULL, "zmq_socket");
    if (type == SUB)
        check (set_option (l->socket, SUBSCRIBE, "", 0) == 0, "subscribe");
    if (type == SUB || type == XPUB) {
        set_option (l->socket, RCVHWM, &unlimited, sizeof unlimited);
        set_option (l->socket, SNDHWM, &unlimited, sizeof unlimited);
    }
    if (listens || answers)
        set_option (l->socket, RCVTIMEO, &wait, sizeof wait);
    set_option (l->socket, LINGER, &unlimited, sizeof unlimited);
    check ((!strcmp (where, "bind") ? bind_to : connect_to) (l->socket, endpoint) == 0, endpoint);
    return l;
}

void load_close (load *l)
{
    close_socket (l->socket);
    free ((char *) l->role);
    free (l);
}

static long ask_all (load *l, double *took)
{
    long done = 0, sent = 0;
    message msg;
    msg_init (&msg);
    while (done < l->count) {
        for (; sent < l->count && sent - done < l->window; sent++) {
            took[sent] = now (CLOCK_MONOTONIC);
            send_one (l->socket, l->size);
        }
        check (receive_one (l->socket, &msg), "an answer");
        took[done] = now (CLOCK_MONOTONIC) - took[done];
        done++;
    }
    msg_close (&msg);
    return done;
}

static int answer_one (load *l, message *msg)
{
    int more;
    do {
        if (msg_recv (msg, l->socket, 0) < 0)
            return 0;
        more = msg_more (msg);
        check (msg_send (msg, l->socket, more ? SNDMORE : 0) >= 0, "zmq_msg_send");
    } while (more);
    return 1;
}

/* Do the work. Who publishes waits for a subscription, without which it would send to nobody. Who answers or listens goes on until
 * it has all, or until nothing comes any more. */
void load_run (load *l, result *r)
{
    const int answers = is (l, "answer"), waits = answers || is (l, "listen");
    long done = 0;
    message msg;
    double *took = is (l, "ask") ? malloc (sizeof (double) * l->count) : NULL;
    double begin = now (CLOCK_MONOTONIC), busy = now (CLOCK_THREAD_CPUTIME_ID), end = begin;
    msg_init (&msg);
    if (is (l, "pub"))
        check (receive_one (l->socket, &msg), "a subscription");
    if (is (l, "push") || is (l, "pub"))
        for (; done < l->count; done++)
            send_one (l->socket, l->size);
    else if (took)
        done = ask_all (l, took);
    else
        while (done < l->count) {
            if (answers ? answer_one (l, &msg) : receive_one (l->socket, &msg)) {
                if (waits)
                    end = now (CLOCK_MONOTONIC);
                if (done++ == 0 && !waits)
                    begin = now (CLOCK_MONOTONIC);
            } else if (done > 0)
                break;
        }
    if (!waits)
        end = now (CLOCK_MONOTONIC);
    *r = (result) {done, end - begin, now (CLOCK_THREAD_CPUTIME_ID) - busy, 0, 0};
    if (took) {
        qsort (took, l->count, sizeof (double), by_size);
        r->p50 = took[l->count / 2];
        r->p99 = took[l->count * 99 / 100];
        free (took);
    }
    msg_close (&msg);
}

int main (int argc, char **argv)
{
    char line[16];
    result r;
    check (argc == 8, "the command line");
    load *l = load_open (argv[1], NULL, argv[2], argv[3], argv[4], atol (argv[5]), strtoul (argv[6], NULL, 10), atol (argv[7]));
    puts ("ready");
    fflush (stdout);
    check (fgets (line, sizeof line, stdin) != NULL, "the start");
    double busy = now (CLOCK_PROCESS_CPUTIME_ID);
    load_run (l, &r);
    busy = now (CLOCK_PROCESS_CPUTIME_ID) - busy;
    printf ("%.0f %.9f %.9f %.9f %.9f\n", r.messages, r.seconds, busy, r.p50, r.p99);
    fflush (stdout);
    while (fgets (line, sizeof line, stdin) != NULL)
        ;
    return 0;
}
