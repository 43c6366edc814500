/* nestkit-link: runs a command in the layer outside a guest, with one port of the guest's in reach.
 *
 *   nestkit-link SOCKET GUEST-PORT COMMAND [ARGUMENT …]
 *
 * SOCKET is where QEMU passes on the Ethernet frames of the guest's network card (-netdev stream:
 * each frame after its length, 32 bits, big-endian). Here they meet a user-mode network stack,
 * libslirp, QEMU's own: no root, no interface of this layer's, nothing the guest could reach from
 * its side. One port on this layer's loopback leads to the guest's; {port} in an argument stands
 * for it. All ends with the command, whose status is passed on, or with the guest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <libslirp.h>

enum { MAX_FRAME = 65536, MAX_FDS = 64, TRIES = 20, CANNOT = 3 };

static int card = -1; /* the guest's network card */
static struct pollfd fds[MAX_FDS];
static int count;

static void fail(const char *what)
{
    fprintf(stderr, "nestkit-link: %s: %s\n", what, strerror(errno));
    exit(CANNOT);
}

/* Connect to the guest's network card. A socket's path may have some hundred characters only, so
 * its folder, which may have a longer one, is named by a descriptor. */
static void plug_in(const char *path)
{
    struct sockaddr_un where = { .sun_family = AF_UNIX };
    char *copy = strdup(path), *name = strrchr(copy, '/');
    int folder;

    if (!name)
        name = copy;
    else
        *name++ = 0;
    folder = open(name == copy ? "." : *copy ? copy : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        fail(path);
    snprintf(where.sun_path, sizeof where.sun_path, "/proc/self/fd/%d/%s", folder, name);
    card = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (card < 0 || connect(card, (void *)&where, sizeof where))
        fail(path);
    close(folder);
    free(copy);
}

static int whole(int reading, void *data, size_t size)
{
    char *at = data;
    while (size) {
        ssize_t n = reading ? read(card, at, size) : write(card, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        at += n;
        size -= n;
    }
    return 1;
}

static ssize_t to_guest(const void *frame, size_t size, void *opaque)
{
    static char out[4 + MAX_FRAME];
    uint32_t length = htonl(size);
    if (size > MAX_FRAME)
        return -1;
    memcpy(out, &length, 4);
    memcpy(out + 4, frame, size);
    return whole(0, out, 4 + size) ? (ssize_t)size : -1;
}

static int from_guest(Slirp *slirp)
{
    static uint8_t frame[MAX_FRAME];
    uint32_t length;
    if (!whole(1, &length, 4) || (length = ntohl(length)) > MAX_FRAME || !whole(1, frame, length))
        return 0;
    slirp_input(slirp, frame, length);
    return 1;
}

static int64_t clock_ns(void *opaque)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Only IPv6, which is off, sets timers. */
static void *new_timer(SlirpTimerCb callback, void *callback_opaque, void *opaque) { return &card; }
static void free_timer(void *timer, void *opaque) { }
static void set_timer(void *timer, int64_t when_ms, void *opaque) { }
static void complain(const char *message, void *opaque) { }
static void about_fd(int fd, void *opaque) { }
static void wake(void *opaque) { }

/* poll(2) and libslirp name the same events by other bits. */
static const int NAMES[][2] = {
    { POLLIN, SLIRP_POLL_IN }, { POLLOUT, SLIRP_POLL_OUT }, { POLLPRI, SLIRP_POLL_PRI },
    { POLLERR, SLIRP_POLL_ERR }, { POLLHUP, SLIRP_POLL_HUP },
};

static int add_fd(int fd, int events, void *opaque)
{
    if (count == MAX_FDS)
        return -1;
    fds[count].fd = fd;
    fds[count].events = fds[count].revents = 0;
    for (int i = 0; i < 3; i++)
        if (events & NAMES[i][1])
            fds[count].events |= NAMES[i][0];
    return count++;
}

static int events_of(int index, void *opaque)
{
    int events = 0;
    for (int i = 0; index >= 0 && i < 5; i++)
        if (fds[index].revents & NAMES[i][0])
            events |= NAMES[i][1];
    return events;
}

static int free_port(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof any;
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0 || bind(probe, (void *)&any, size) || getsockname(probe, (void *)&any, &size))
        fail("no free port");
    close(probe);
    return ntohs(any.sin_port);
}

static Slirp *make_network(int guest_port, int *port)
{
    static const SlirpCb calls = {
        .send_packet = to_guest, .guest_error = complain, .clock_get_ns = clock_ns,
        .timer_new = new_timer, .timer_free = free_timer, .timer_mod = set_timer,
        .register_poll_fd = about_fd, .unregister_poll_fd = about_fd, .notify = wake,
    };
    SlirpConfig config = {
        .version = 1, .restricted = 1, .in_enabled = true, .disable_host_loopback = true,
    };
    struct in_addr loopback = { .s_addr = htonl(INADDR_LOOPBACK) }, guest;
    Slirp *slirp;

    inet_aton("10.0.2.0", &config.vnetwork);
    inet_aton("255.255.255.0", &config.vnetmask);
    inet_aton("10.0.2.2", &config.vhost);
    inet_aton("10.0.2.3", &config.vnameserver);
    inet_aton("10.0.2.15", &guest);
    config.vdhcp_start = guest;
    slirp = slirp_new(&config, &calls, NULL);
    if (!slirp)
        fail("libslirp");
    for (int i = 0; i < TRIES; i++) { /* another program may take the port meanwhile */
        *port = free_port();
        if (!slirp_add_hostfwd(slirp, 0, loopback, *port, guest, guest_port))
            return slirp;
    }
    fail("cannot listen on the loopback");
    return NULL;
}

static pid_t start(char **argv, int port)
{
    char number[8];
    pid_t parent = getpid(), child;

    snprintf(number, sizeof number, "%d", port);
    for (char **word = argv; *word; word++)
        if (!strcmp(*word, "{port}"))
            *word = strdup(number);
    child = fork();
    if (child < 0)
        fail("fork");
    if (!child) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(CANNOT);
        signal(SIGPIPE, SIG_DFL);
        execvp(argv[0], argv);
        dprintf(2, "nestkit-link: %s: %s\n", argv[0], strerror(errno));
        _exit(errno == ENOENT ? 127 : 126);
    }
    return child;
}

int main(int argc, char **argv)
{
    int port, status, ended;
    Slirp *slirp;
    pid_t child;

    if (argc < 4 || atoi(argv[2]) <= 0) {
        fprintf(stderr, "usage: nestkit-link SOCKET GUEST-PORT COMMAND [ARGUMENT ...]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    plug_in(argv[1]);
    slirp = make_network(atoi(argv[2]), &port);
    child = start(argv + 3, port);
    ended = syscall(SYS_pidfd_open, child, 0);
    if (ended < 0)
        fail("pidfd_open");
    for (;;) {
        uint32_t timeout = 1000;
        int error;
        count = 0;
        add_fd(card, SLIRP_POLL_IN, NULL);
        add_fd(ended, SLIRP_POLL_IN, NULL);
        slirp_pollfds_fill(slirp, &timeout, add_fd, NULL);
        error = poll(fds, count, timeout) < 0;
        if (error)
            for (int i = 0; i < count; i++)
                fds[i].revents = 0;
        if (fds[0].revents && !from_guest(slirp)) {
            fprintf(stderr, "nestkit-link: the guest is gone\n");
            kill(child, SIGKILL);
            return CANNOT;
        }
        slirp_pollfds_poll(slirp, error, events_of, NULL);
        if (fds[1].revents) {
            waitpid(child, &status, 0);
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
    }
}
