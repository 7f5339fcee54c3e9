/* SPDX-License-Identifier: MIT */
/* tests/fuzz/replay.c — runs a fuzz target without libFuzzer: over the files of a
 * corpus, then over as many mutations of them as are asked for, the same ones for the
 * same seed.
 *
 *   usage: fuzz_<what> [-runs=N | -seconds=N] [-seed=S] FILE|DIRECTORY...
 *
 * When an input fails or takes longer than INPUT_S, it is kept as ./crash-input. */
#include <dirent.h> /* opendir */
#include <signal.h> /* signal */
#include <stdint.h> /* uint8_t */
#include <stdio.h>  /* fopen */
#include <stdlib.h> /* strtoul */
#include <string.h> /* memcpy */
#include <time.h>   /* clock_gettime */
#include <unistd.h> /* alarm */

/* The longest that one input may take, in seconds: an endless loop is a failure. */
#define INPUT_S 20

#define INPUT_MAX 4096
#define NINPUTS_MAX 1024

struct input {
    uint8_t bytes[INPUT_MAX];
    size_t len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input *inputs[NINPUTS_MAX];
static size_t ninputs;
static struct input current; /* what the target is given, for on_abort */

static void
on_abort(int signum)
{
    FILE *file = fopen("crash-input", "wb");
    if (file != NULL) {
        fwrite(current.bytes, 1, current.len, file);
        fclose(file);
    }
    signal(signum, SIG_DFL);
    if (signum == SIGALRM)
        abort();
}

/* Numbers that are the same in every run (xorshift). */
static uint32_t
next_number(uint32_t *seed, uint32_t below)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % below;
}

static void
add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct input *input = malloc(sizeof *input);
    if (file == NULL || input == NULL || ninputs == NINPUTS_MAX) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    input->len = fread(input->bytes, 1, INPUT_MAX, file);
    fclose(file);
    inputs[ninputs++] = input;
}

static void
add_path(const char *path)
{
    char name[1024];
    DIR *dir = opendir(path);
    if (dir == NULL) {
        add_file(path);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        add_file(name);
    }
    closedir(dir);
}

/* Replaces len bytes at `at` by the n bytes of `with`, as far as there is room. */
static void
splice(struct input *in, size_t at, size_t len, const uint8_t *with, size_t n)
{
    if (in->len - len + n > INPUT_MAX)
        return;
    memmove(in->bytes + at + n, in->bytes + at + len, in->len - at - len);
    if (n > 0)
        memcpy(in->bytes + at, with, n);
    in->len = in->len - len + n;
}

/* Changes a byte or a few, with bytes that mean something to the grammar or with a part
 * of another input. */
static void
mutate(struct input *in, uint32_t *seed)
{
    static const char marks[] = "\r\n \t:;,=\"\\/?#%*0189afAFzZ\x7f\x80\xff\x01";
    uint32_t len = (uint32_t)in->len;
    size_t at = next_number(seed, len + 1);
    size_t rest = in->len - at;
    size_t cut =
        next_number(seed, 4) == 0 ? next_number(seed, (uint32_t)rest + 1) % 8 : 0;
    uint8_t byte = (uint8_t)marks[next_number(seed, sizeof marks)];
    const struct input *other = inputs[next_number(seed, (uint32_t)ninputs)];
    size_t from = next_number(seed, (uint32_t)other->len + 1);
    size_t n = next_number(seed, 24);

    switch (next_number(seed, 5)) {
    case 0:
        splice(in, at, rest > 0, &byte, 1);
        break;
    case 1:
        splice(in, at, cut, &byte, 1);
        break;
    case 2:
        byte = (uint8_t)next_number(seed, 256);
        splice(in, at, rest > 0, &byte, 1);
        break;
    case 3:
        splice(in, at, rest < n ? rest : n, NULL, 0);
        break;
    default:
        n = other->len - from < n ? other->len - from : n;
        splice(in, at, cut, other->bytes + from, n);
        break;
    }
}

static time_t
seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Runs the target on `current`, for at most INPUT_S. */
static void
run_current(void)
{
    alarm(INPUT_S);
    LLVMFuzzerTestOneInput(current.bytes, current.len);
}

/* Runs the target on mutations until both bounds are reached. */
static unsigned long
run_mutations(unsigned long nruns, unsigned long seconds, uint32_t *seed)
{
    const time_t end = seconds_now() + (time_t)seconds;
    unsigned long run = 0;

    for (; run < nruns || (seconds > 0 && seconds_now() < end); run++) {
        current = *inputs[next_number(seed, (uint32_t)ninputs)];
        for (uint32_t n = 1 + next_number(seed, 4); n > 0; n--)
            mutate(&current, seed);
        run_current();
    }
    return run;
}

int
main(int argc, char **argv)
{
    unsigned long nruns = 0, seconds = 0;
    uint32_t seed = 1;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-runs=", 6) == 0)
            nruns = strtoul(argv[i] + 6, NULL, 10);
        else if (strncmp(argv[i], "-seconds=", 9) == 0)
            seconds = strtoul(argv[i] + 9, NULL, 10);
        else if (strncmp(argv[i], "-seed=", 6) == 0)
            seed = (uint32_t)strtoul(argv[i] + 6, NULL, 10) | 1;
        else
            add_path(argv[i]);
    }
    if (ninputs == 0) {
        fprintf(stderr,
                "usage: %s [-runs=N | -seconds=N] [-seed=S] FILE|DIRECTORY...\n",
                argv[0]);
        return 2;
    }
    signal(SIGABRT, on_abort);
    signal(SIGALRM, on_abort);
    for (size_t i = 0; i < ninputs; i++) {
        current = *inputs[i];
        run_current();
    }
    nruns = run_mutations(nruns, seconds, &seed);
    printf("%s: %zu inputs and %lu mutations: no failure\n", argv[0], ninputs, nruns);
    return 0;
}
