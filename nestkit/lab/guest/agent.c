/* nestkit-agent: runs commands inside a guest for the lab, over a virtio serial port.
 *
 * A frame is one letter, the payload's length (32 bits, little-endian) and the payload.
 *   to the guest:  R run (flags byte, 32-bit argc, then NUL-ended strings: argv, environment)
 *                  I a piece of standard input, empty at its end     K kill the command
 *   to the host:   H hello, when the agent is up     A the piece of input was taken
 *                  O, E pieces of output             X the exit status (32 bits), the last frame
 * One command runs at a time, in a session of its own, so that K reaches all it started.
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PAYLOAD = 1 << 20, PIECE = 1 << 15, WANTS_INPUT = 1 };

static int port;
static pid_t child;               /* 0: no command */
static int child_fd = -1;         /* readable when the command has ended */
static int in = -1, out = -1, err = -1;
static char *pending;             /* input that the command did not take yet */
static size_t pending_size, pending_done;

static void fail(const char *what)
{
    fprintf(stderr, "nestkit-agent: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void port_write(const void *data, size_t size)
{
    const char *p = data;
    while (size) {
        ssize_t n = write(port, p, size);
        if (n < 0) {
            if (errno == EINTR || errno == EAGAIN)
                continue;
            fail("write to port");
        }
        p += n;
        size -= n;
    }
}

static void port_read(void *data, size_t size)
{
    char *p = data;
    while (size) {
        ssize_t n = read(port, p, size);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
            fail("read from port");
        if (n > 0) {
            p += n;
            size -= n;
        }
    }
}

static void send_frame(char type, const void *data, uint32_t size)
{
    static char frame[5 + PIECE];
    frame[0] = type;
    memcpy(frame + 1, &size, 4);
    memcpy(frame + 5, data, size);
    port_write(frame, 5 + size);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Pass on what can be read now; returns 0 when there is no more for now. */
static int forward(int *fd, char type)
{
    static char piece[PIECE];
    ssize_t n;

    if (*fd < 0)
        return 0;
    n = read(*fd, piece, sizeof piece);
    if (n > 0) {
        send_frame(type, piece, n);
        return 1;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_fd(fd);
    return 0;
}

static void take_input(void)
{
    ssize_t n = 0;
    if (in >= 0) {
        n = write(in, pending + pending_done, pending_size - pending_done);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
    }
    if (in < 0 || n < 0)
        pending_done = pending_size;     /* the command does not read any more */
    else
        pending_done += n;
    if (pending_done == pending_size) {
        free(pending);
        pending = NULL;
        send_frame('A', "", 0);
    }
}

static void start(char *payload, uint32_t size)
{
    uint32_t argc, count = 0;
    char **argv, **strings, *p = payload + 5;
    int to[2], from[2], errors[2];

    if (size < 6 || payload[size - 1])
        return;
    memcpy(&argc, payload + 1, 4);
    for (char *q = p; q < payload + size; q += strlen(q) + 1)
        count++;
    if (!argc || argc > count)
        return;
    strings = calloc(count + 2, sizeof *strings);
    argv = strings;
    for (uint32_t i = 0; i < argc; i++, p += strlen(p) + 1)
        strings[i] = p;
    for (uint32_t i = argc; i < count; i++, p += strlen(p) + 1)
        strings[i + 1] = p;              /* strings[argc] stays NULL between the two lists */

    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) || pipe2(errors, O_CLOEXEC))
        fail("pipe");
    child = fork();
    if (child < 0)
        fail("fork");
    if (!child) {
        setsid();
        signal(SIGPIPE, SIG_DFL);
        if (!(payload[0] & WANTS_INPUT)) {
            int nothing = open("/dev/null", O_RDONLY);
            dup2(nothing, 0);
        } else {
            dup2(to[0], 0);
        }
        dup2(from[1], 1);
        dup2(errors[1], 2);
        for (uint32_t i = argc + 1; strings[i]; i++)
            putenv(strings[i]);
        execvp(argv[0], argv);
        int status = errno == ENOENT ? 127 : 126;
        dprintf(2, "%s: %s\n", argv[0], strerror(errno));
        _exit(status);
    }
    free(strings);
    close(to[0]);
    close(from[1]);
    close(errors[1]);
    in = to[1];
    out = from[0];
    err = errors[0];
    if (!(payload[0] & WANTS_INPUT))
        close_fd(&in);
    else
        fcntl(in, F_SETFL, O_NONBLOCK);
    fcntl(out, F_SETFL, O_NONBLOCK);
    fcntl(err, F_SETFL, O_NONBLOCK);
    child_fd = syscall(SYS_pidfd_open, child, 0);
    if (child_fd < 0)
        fail("pidfd_open");
}

static void finish(void)
{
    int status, code;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    /* what the command left in the pipes; a background child may keep them open, so no waiting */
    while (forward(&out, 'O'))
        ;
    while (forward(&err, 'E'))
        ;
    code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    close_fd(&in);
    close_fd(&out);
    close_fd(&err);
    close_fd(&child_fd);
    if (pending)
        take_input();
    child = 0;
    send_frame('X', &code, 4);
}

static void handle_frame(void)
{
    char head[5], *payload;
    uint32_t size;

    port_read(head, 5);
    memcpy(&size, head + 1, 4);
    if (size > MAX_PAYLOAD)
        fail("frame too long");
    payload = malloc(size + 1);
    port_read(payload, size);
    if (head[0] == 'R' && !child) {
        start(payload, size);
        if (!child) {
            int refused = 126;
            send_frame('X', &refused, 4);
        }
    } else if (head[0] == 'K' && child) {
        kill(-child, SIGKILL);
        kill(child, SIGKILL);
    } else if (head[0] == 'I' && !child) {
        ;                                /* it ended before it had read all */
    } else if (head[0] == 'I' && size == 0) {
        close_fd(&in);
        send_frame('A', "", 0);
    } else if (head[0] == 'I' && !pending) {
        pending = payload;
        pending_size = size;
        pending_done = 0;
        take_input();
        return;
    }
    free(payload);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: nestkit-agent PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    port = open(argv[1], O_RDWR | O_CLOEXEC);
    if (port < 0)
        fail(argv[1]);
    send_frame('H', "1", 1);
    for (;;) {
        struct pollfd fds[5] = {
            { port, POLLIN, 0 },
            { out, POLLIN, 0 },
            { err, POLLIN, 0 },
            { child_fd, POLLIN, 0 },
            { pending ? in : -1, POLLOUT, 0 },
        };
        if (poll(fds, 5, -1) < 0)
            continue;
        if (fds[0].revents & POLLIN)
            handle_frame();
        else if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
            return 0;                    /* the host let go */
        if (fds[1].revents)
            forward(&out, 'O');
        if (fds[2].revents)
            forward(&err, 'E');
        if (fds[4].revents && pending)
            take_input();
        if (fds[3].revents && child)
            finish();
    }
}
