/* A child for the benchmarks: writes lines that a checker can prove complete.
 *
 *   axgen MODE NAME [key=value ...]
 *
 *   MODE   block   `lines` lines in writes of `write` bytes (0: one write per line)
 *          flood   the same, for `for` milliseconds
 *          tick    every `every` microseconds one line with a CLOCK_MONOTONIC stamp, for `for` ms
 *          beside  child 0 floods, every other one ticks
 *          idle    says one line, then sleeps for `for` ms; `ignore=1` ignores TERM, INT and HUP
 *   NAME   c00007: the child's number
 *   cpu=FILE     append "pid nanoseconds" of own CPU time at the end
 *   pids=FILE    append "pid" at the start
 *   gate=FILE of=N   at the end, wait until N children have come this far
 *
 * A line: CCCCC:SSSSSSSSSS:abc...:SSSS, where the letters depend on the child, and the last
 * digits of the number stand at the end too, so that no two halves fit that don't belong together.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 17, TAIL = 5, DIGITS = 10 };

static long lines = 1000, length = 100, block = 65536, every = 50000, lasts = 1000, ignore = 0, of = 0;
static const char *cpu_file, *pid_file, *gate_file;

static int64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void append(const char *file, const char *text) {
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) perror(file);
    if (fd >= 0) close(fd);
}

static void leave(int status) {
    char text[64];
    if (gate_file) {
        struct stat st;
        append(gate_file, ".");
        while (stat(gate_file, &st) == 0 && st.st_size < of) usleep(1000);
    }
    if (cpu_file) {
        snprintf(text, sizeof text, "%d %lld\n", (int)getpid(), (long long)now(CLOCK_PROCESS_CPUTIME_ID));
        append(cpu_file, text);
    }
    _exit(status);
}

static void put(const char *data, size_t size) {
    while (size) {
        ssize_t n = write(STDOUT_FILENO, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) leave(1);
        data += n, size -= (size_t)n;
    }
}

static void count_up(char *digits) {
    for (int i = DIGITS - 1; i >= 0 && ++digits[i] > '9'; i--) digits[i] = '0';
}

/* `copies` lines of one child, numbered from 0 on. */
static char *make(int child, size_t copies) {
    char *buffer = malloc(copies * (size_t)length), head[32], digits[DIGITS + 1] = "0000000000";
    if (!buffer) abort();
    snprintf(head, sizeof head, "%05d:0000000000:", child);
    for (size_t n = 0; n < copies; n++, count_up(digits)) {
        char *line = buffer + n * (size_t)length;
        memcpy(line, head, HEAD);
        for (long i = HEAD; i < length - 1 - TAIL; i++) line[i] = (char)('a' + (child * 7 + i) % 26);
        line[length - 1 - TAIL] = ':';
        memcpy(line + 6, digits, DIGITS);
        memcpy(line + length - TAIL, digits + DIGITS - 4, 4);
        line[length - 1] = '\n';
    }
    return buffer;
}

static void renumber(char *line, size_t copies, const char *first) {
    char digits[DIGITS];
    memcpy(digits, first, DIGITS);
    for (; copies--; line += length, count_up(digits)) {
        memcpy(line + 6, digits, DIGITS);
        memcpy(line + length - TAIL, digits + DIGITS - 4, 4);
    }
}

/* Writes of exactly `block` bytes, which cut lines; `until` 0 means `lines` lines. */
static void blocks(int child, int64_t until) {
    size_t size = block ? (size_t)block : (size_t)length, copies = size / (size_t)length + 2;
    size_t offset = 0, left = (size_t)lines * (size_t)length;
    char *buffer = make(child, copies), first[DIGITS + 1];
    while (until ? now(CLOCK_MONOTONIC) < until : left > 0) {
        size_t n = until || size < left ? size : left;
        put(buffer + offset, n);
        left -= until ? 0 : n;
        offset += n;
        memcpy(first, buffer + (offset / (size_t)length) * (size_t)length + 6, DIGITS);
        offset %= (size_t)length;
        renumber(buffer, copies, first);
    }
    if (until && offset) put(buffer + offset, (size_t)length - offset);
    free(buffer);
}

static void ticks(int child, int64_t until) {
    char line[512];
    int64_t step = every * 1000LL, next = now(CLOCK_MONOTONIC) + (child * 7919LL % 1000) * step / 1000;
    while (next < until) {
        struct timespec t = {next / 1000000000LL, next % 1000000000LL};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
        int n = snprintf(line, sizeof line, "%05d:@%019lld:", child, (long long)now(CLOCK_MONOTONIC));
        memset(line + n, '.', (size_t)(length - n - 1));
        line[length - 1] = '\n';
        put(line, (size_t)length);
        next += step;
    }
}

int main(int argc, char **argv) {
    struct { const char *key; long *value; } numbers[] = {
        {"lines", &lines}, {"length", &length}, {"write", &block}, {"every", &every},
        {"for", &lasts}, {"ignore", &ignore}, {"of", &of}};
    struct { const char *key; const char **value; } files[] = {
        {"cpu", &cpu_file}, {"pids", &pid_file}, {"gate", &gate_file}};
    char text[64];
    if (argc < 3) return fprintf(stderr, "usage: axgen MODE NAME [key=value ...]\n"), 2;
    int child = atoi(argv[2] + (argv[2][0] == 'c'));
    for (int i = 3; i < argc; i++) {
        /* argv stays as it is: by its command line the harness knows this process again. */
        size_t key = strcspn(argv[i], "=");
        if (!argv[i][key]) return fprintf(stderr, "axgen: %s: not key=value\n", argv[i]), 2;
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            if (key == strlen(numbers[k].key) && !strncmp(argv[i], numbers[k].key, key))
                *numbers[k].value = atol(argv[i] + key + 1);
        for (size_t k = 0; k < sizeof files / sizeof *files; k++)
            if (key == strlen(files[k].key) && !strncmp(argv[i], files[k].key, key))
                *files[k].value = argv[i] + key + 1;
    }
    if (length < 40 || length > 500) return fprintf(stderr, "axgen: length must be 40 to 500\n"), 2;
    if (ignore)
        for (int *s = (int[]){SIGTERM, SIGINT, SIGHUP, 0}; *s; s++) signal(*s, SIG_IGN);
    if (pid_file) {
        snprintf(text, sizeof text, "%d\n", (int)getpid());
        append(pid_file, text);
    }
    int64_t until = now(CLOCK_MONOTONIC) + lasts * 1000000LL;
    const char *mode = argv[1];
    if (!strcmp(mode, "beside")) mode = child == 0 ? "flood" : "tick";
    if (!strcmp(mode, "block")) blocks(child, 0);
    else if (!strcmp(mode, "flood")) blocks(child, until);
    else if (!strcmp(mode, "tick")) ticks(child, until);
    else if (!strcmp(mode, "idle")) {
        snprintf(text, sizeof text, "%05d:ready\n", child);
        put(text, strlen(text));
        while (now(CLOCK_MONOTONIC) < until) usleep(200000);
    } else return fprintf(stderr, "axgen: %s: no such mode\n", mode), 2;
    leave(0);
}
