/* Reads a merged stream and proves it: each child's lines there, whole, in order, once.
 *
 *   axverify children=N lines=M [length=100] [prefix='[{}] '] [ansi=1]   < stream
 *
 * In the prefix {} stands for the child's name and # for any digit. One JSON object goes to stdout:
 * good (right place, whole), lost (missing or not whole), torn (pieces, or a foreign prefix),
 * glued (two in one), reordered, duplicated, noise (lines that are no child's: banners).
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD = 17, TAIL = 5, PREFIX = 128, BUFFER = 1 << 20 };

typedef struct {
    unsigned long next, got;
    size_t prefix_size;
    char prefix[PREFIX];
} Child;

static long children = 10, wanted = 1000, length = 100, ansi = 0;
static const char *prefix = "[{}] ";
static char letters[26 * 40], sample[400];
static int wild;
static Child *table;
static unsigned long good, torn, glued, reordered, noise, bytes;

static void note(const char *line, size_t n) {
    size_t k = 0;
    if (*sample) return;
    for (size_t i = 0; i < n && k < 200; i++)
        sample[k++] = line[i] < ' ' || line[i] > '~' || line[i] == '"' || line[i] == '\\' ? '?' : line[i];
}

static int digits(const char *s, int n, unsigned long *value) {
    for (*value = 0; n--; s++) {
        if (*s < '0' || *s > '9') return 0;
        *value = *value * 10 + (unsigned long)(*s - '0');
    }
    return 1;
}

/* A piece of a child's line: six letters that follow each other, or ten digits and a colon. */
static int piece(const char *s, size_t n) {
    for (size_t i = 0, run = 1, figures = 0; i < n; i++) {
        if (s[i] == ':' && figures >= 10) return 1;
        figures = isdigit((unsigned char)s[i]) ? figures + 1 : 0;
        if (i && s[i] >= 'a' && s[i] <= 'z' && (s[i] == s[i - 1] + 1 || (s[i] == 'a' && s[i - 1] == 'z'))) {
            if (++run >= 6) return 1;
        } else run = 1;
    }
    return 0;
}

static int same_prefix(const Child *child, const char *s, size_t n) {
    if (n != child->prefix_size) return 0;
    if (!wild) return !memcmp(s, child->prefix, n);
    for (size_t i = 0; i < n; i++)
        if (child->prefix[i] == '#' ? !isdigit((unsigned char)s[i]) : s[i] != child->prefix[i]) return 0;
    return 1;
}

/* The child whose whole line these `length` - 1 bytes are, or none. */
static Child *whole(const char *s, unsigned long *seq) {
    unsigned long id, tail, size = (unsigned long)length - 1;
    if (s[5] != ':' || s[16] != ':' || s[size - TAIL] != ':') return NULL;
    if (!digits(s, 5, &id) || !digits(s + 6, 10, seq) || !digits(s + size - 4, 4, &tail)) return NULL;
    if (id >= (unsigned long)children || *seq % 10000 != tail) return NULL;
    if (memcmp(s + HEAD, letters + (id * 7 + HEAD) % 26, size - TAIL - HEAD)) return NULL;
    return table + id;
}

static size_t strip(char *s, size_t n) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == 27 && i + 1 < n && s[i + 1] == '[') {
            for (i += 2; i < n && !(s[i] >= '@' && s[i] <= '~'); i++) {}
        } else s[k++] = s[i];
    }
    return k;
}

static void check(char *line, size_t n) {
    unsigned long seq, size = (unsigned long)length - 1;
    if (ansi && memchr(line, 27, n)) n = strip(line, n);
    Child *child = n < size ? NULL : whole(line + n - size, &seq);
    if (!child) {
        if (piece(line, n)) torn++, note(line, n);
        else noise++;
    } else if (!same_prefix(child, line, n - size)) {
        if (piece(line, n - size)) glued++;
        else torn++;
        note(line, n);
    } else {
        child->got++;
        if (seq >= child->next) child->next = seq + 1, good++;
        else reordered++, note(line, n);
    }
}

static void prepare(void) {
    table = calloc((size_t)children, sizeof *table);
    if (!table) abort();
    for (size_t i = 0; i < sizeof letters; i++) letters[i] = (char)('a' + i % 26);
    wild = strchr(prefix, '#') != NULL;
    for (long i = 0; i < children; i++) {
        char *out = table[i].prefix, *end = out + PREFIX - 8;
        for (const char *p = prefix; *p && out < end; p++) {
            if (p[0] == '{' && p[1] == '}') out += sprintf(out, "c%05ld", i), p++;
            else *out++ = *p;
        }
        table[i].prefix_size = (size_t)(out - table[i].prefix);
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "children=", 9)) children = atol(argv[i] + 9);
        else if (!strncmp(argv[i], "lines=", 6)) wanted = atol(argv[i] + 6);
        else if (!strncmp(argv[i], "length=", 7)) length = atol(argv[i] + 7);
        else if (!strncmp(argv[i], "ansi=", 5)) ansi = atol(argv[i] + 5);
        else if (!strncmp(argv[i], "prefix=", 7)) prefix = argv[i] + 7;
        else return fprintf(stderr, "axverify: %s?\n", argv[i]), 2;
    }
    if (length < 40 || length > 500) return fprintf(stderr, "axverify: length must be 40 to 500\n"), 2;
    prepare();
    char *buffer = malloc(BUFFER);
    size_t held = 0;
    ssize_t n;
    if (!buffer) abort();
    while ((n = read(STDIN_FILENO, buffer + held, BUFFER - held)) > 0) {
        char *line = buffer, *stop = buffer + held + n, *newline;
        bytes += (unsigned long)n;
        while ((newline = memchr(line, '\n', (size_t)(stop - line)))) {
            check(line, (size_t)(newline - line));
            line = newline + 1;
        }
        held = (size_t)(stop - line);
        if (held == BUFFER) torn++, note(buffer, held), held = 0;
        memmove(buffer, line, held);
    }
    if (held) torn++, note(buffer, held); /* a last line without its newline */
    unsigned long lost = 0, duplicated = 0;
    for (long i = 0; i < children; i++) {
        if (table[i].got < (unsigned long)wanted) lost += (unsigned long)wanted - table[i].got;
        else duplicated += table[i].got - (unsigned long)wanted;
    }
    printf("{\"bytes\": %lu, \"good\": %lu, \"lost\": %lu, \"torn\": %lu, \"glued\": %lu, \"reordered\": %lu, "
           "\"duplicated\": %lu, \"noise\": %lu, \"sample\": \"%s\"}\n",
           bytes, good, lost, torn, glued, reordered, duplicated, noise, sample);
    return lost || torn || glued || reordered || duplicated;
}
