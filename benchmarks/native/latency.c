/* Reads a merged stream in which lines carry "@", 19 digits of CLOCK_MONOTONIC nanoseconds and ":".
 *
 *   axlatency [warm=MS] [window=MS]   < stream
 *
 * Says how old the stamps were when read, from `warm` after the first stamp on, for `window`;
 * and how many bytes a second came by meanwhile. One JSON object, times in microseconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, STAMP = 21, MOST = 1 << 22 };

static int64_t *sample;
static size_t count;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int order(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double at(double share) {
    if (!count) return -1;
    size_t i = (size_t)(share * (double)count);
    return (double)sample[i < count ? i : count - 1] / 1000;
}

int main(int argc, char **argv) {
    long warm = 1000, window = 10000;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "warm=", 5)) warm = atol(argv[i] + 5);
        else if (!strncmp(argv[i], "window=", 7)) window = atol(argv[i] + 7);
    }
    char *buffer = malloc(BUFFER);
    sample = malloc(MOST * sizeof *sample);
    if (!buffer || !sample) abort();
    int64_t from = 0, until = 0, bytes = 0, last = 0;
    size_t held = 0;
    ssize_t n;
    while ((n = read(STDIN_FILENO, buffer + held, BUFFER - held)) > 0) {
        int64_t when = now();
        char *p = buffer, *stop = buffer + held + n, *stamp;
        int inside = from && when >= from && when < until;
        if (inside) bytes += n, last = when;
        while ((stamp = memchr(p, '@', (size_t)(stop - p))) && stop - stamp >= STAMP) {
            int64_t written = strtoll(stamp + 1, NULL, 10);
            p = stamp + STAMP;
            if (written <= 0 || written > when) continue;
            if (!from) from = when + warm * 1000000LL, until = from + window * 1000000LL;
            if (inside && written >= from && count < MOST) sample[count++] = when - written;
        }
        held = stamp ? (size_t)(stop - stamp) : 0;
        if (held) memmove(buffer, stamp, held);
    }
    qsort(sample, count, sizeof *sample, order);
    printf("{\"samples\": %zu, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f, \"mb_s\": %.1f}\n", count,
           at(0.5), at(0.9), at(0.99), at(1), last > from ? (double)bytes * 1000.0 / (double)(last - from) : 0);
    return 0;
}
