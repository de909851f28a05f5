/* A process at the end of a benchmark: sends, receives, asks or answers as fast as libzmq can, and says how long it took.
 *
 *     load LIBZMQ ROLE bind|connect ENDPOINT COUNT SIZE WINDOW
 *
 * It prints "ready" once its socket is there; starts with the first line on its standard input; prints its result as
 * "MESSAGES SECONDS CPU_SECONDS [P50 P99]"; and keeps its socket open until its standard input ends. libzmq's own functions are
 * found at run time, because pyzmq ships no zmq.h.
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
static int (*set_option) (void *, int, const void *, size_t);
static int (*msg_init) (message *);
static int (*msg_init_size) (message *, size_t);
static void *(*msg_data) (message *);
static int (*msg_close) (message *);
static int (*msg_more) (message *);
static int (*msg_send) (message *, void *, int);
static int (*msg_recv) (message *, void *, int);

enum { PUB = 1, SUB = 2, DEALER = 5, PULL = 7, PUSH = 8, DONTWAIT = 1, SNDMORE = 2, SUBSCRIBE = 6, SNDHWM = 23, RCVHWM = 24,
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

static void load (const char *path)
{
    void *library = dlopen (path, RTLD_NOW);
    check (library != NULL, path);
    find (library, &ctx_new, "zmq_ctx_new");
    find (library, &new_socket, "zmq_socket");
    find (library, &bind_to, "zmq_bind");
    find (library, &connect_to, "zmq_connect");
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

int main (int argc, char **argv)
{
    check (argc == 8, "the command line");
    const char *role = argv[2], *endpoint = argv[4];
    const long count = atol (argv[5]), window = atol (argv[7]);
    const size_t size = strtoul (argv[6], NULL, 10);
    const int sends = !strcmp (role, "push") || !strcmp (role, "pub"), asks = !strcmp (role, "ask"), answers = !strcmp (role, "answer");
    const int listens = !strcmp (role, "listen"), unlimited = 0, wait = 300;
    int type = !strcmp (role, "push") ? PUSH : !strcmp (role, "pull") ? PULL : !strcmp (role, "pub") ? PUB : asks || answers ? DEALER : SUB;
    long done = 0, sent = 0;
    char line[16];
    message msg;

    load (argv[1]);
    void *socket = new_socket (ctx_new (), type);
    check (socket != NULL, "zmq_socket");
    if (type == SUB)
        check (set_option (socket, SUBSCRIBE, "", 0) == 0, "subscribe");
    if (type == SUB || type == PUB) {
        set_option (socket, RCVHWM, &unlimited, sizeof unlimited);
        set_option (socket, SNDHWM, &unlimited, sizeof unlimited);
    }
    if (listens || answers)
        set_option (socket, RCVTIMEO, &wait, sizeof wait);
    set_option (socket, LINGER, &unlimited, sizeof unlimited);
    check ((!strcmp (argv[3], "bind") ? bind_to : connect_to) (socket, endpoint) == 0, endpoint);
    puts ("ready");
    fflush (stdout);
    check (fgets (line, sizeof line, stdin) != NULL, "the start");

    msg_init (&msg);
    double *sent_at = malloc (sizeof (double) * (asks ? count : 1)), begin = now (CLOCK_MONOTONIC), busy = now (CLOCK_PROCESS_CPUTIME_ID), end = begin;
    if (sends)
        for (; done < count; done++)
            send_one (socket, size);
    else if (asks)
        while (done < count) {
            for (; sent < count && sent - done < window; sent++) {
                sent_at[sent] = now (CLOCK_MONOTONIC);
                send_one (socket, size);
            }
            check (receive_one (socket, &msg), "an answer");
            sent_at[done] = now (CLOCK_MONOTONIC) - sent_at[done];
            done++;
        }
    else if (answers || listens)        /* until nothing comes any more, or the input ends */
        while (done < count) {
            if (answers) {
                if (msg_recv (&msg, socket, 0) < 0) {
                    if (done > 0)
                        break;
                    continue;
                }
                int more = msg_more (&msg);
                check (msg_send (&msg, socket, more ? SNDMORE : 0) >= 0, "zmq_msg_send");
                done += !more;
            } else if (receive_one (socket, &msg))
                done++;
            else if (done > 0)
                break;
            end = now (CLOCK_MONOTONIC);
        }
    else
        for (; done < count; done++) {
            check (receive_one (socket, &msg), "zmq_msg_recv");
            if (done == 0)
                begin = now (CLOCK_MONOTONIC);
        }
    if (!listens)
        end = now (CLOCK_MONOTONIC);
    busy = now (CLOCK_PROCESS_CPUTIME_ID) - busy;
    printf ("%ld %.9f %.9f", done, end - begin, busy);
    if (asks) {
        qsort (sent_at, count, sizeof (double), by_size);
        printf (" %.9f %.9f", sent_at[count / 2], sent_at[count * 99 / 100]);
    }
    puts ("");
    fflush (stdout);
    while (fgets (line, sizeof line, stdin) != NULL)
        ;
    return 0;
}
