/* What the kernel allows: as many PTYs as commands, read with poll(), written to stdout as they come.
 *
 *   axptyfloor COMMAND ...     each a shell line on a PTY of its own
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFER = 65536 };

int main(int argc, char **argv) {
    int count = argc - 1, open = count;
    struct pollfd *watched = calloc((size_t)count + 1, sizeof *watched);
    static char buffer[BUFFER];
    if (!watched) abort();
    for (int i = 0; i < count; i++) {
        pid_t pid = forkpty(&watched[i].fd, NULL, NULL, NULL);
        if (pid < 0) return perror("forkpty"), 1;
        if (pid == 0) {
            for (int k = 0; k < i; k++) close(watched[k].fd);
            execl("/bin/sh", "sh", "-c", argv[i + 1], (char *)NULL);
            _exit(127);
        }
        watched[i].events = POLLIN;
    }
    while (open) {
        if (poll(watched, (nfds_t)count, -1) < 0 && errno != EINTR) return perror("poll"), 1;
        for (int i = 0; i < count; i++) {
            if (watched[i].fd < 0 || !watched[i].revents) continue;
            ssize_t n = read(watched[i].fd, buffer, BUFFER);
            if (n <= 0) {
                close(watched[i].fd);
                watched[i].fd = -1, open--;
                continue;
            }
            for (ssize_t done = 0, k; done < n; done += k)
                if ((k = write(STDOUT_FILENO, buffer + done, (size_t)(n - done))) < 0) return 1;
        }
    }
    while (wait(NULL) > 0) {}
    return 0;
}
