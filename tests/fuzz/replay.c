/* SPDX-License-Identifier: MIT */
/* tests/fuzz/replay.c — runs a fuzz target without libFuzzer: over the files of a
 * corpus, then over a number of mutations of them, the same ones for the same seed. If
 * the build reports which paths an input takes (guide.h), mutations with new paths are
 * mutated in turn.
 *
 *   usage: fuzz_<what> [-runs=N | -seconds=N] [-seed=S] [-keep=DIR] FILE|DIRECTORY...
 *          fuzz_<what> -merge=DIR DIRECTORY FILE|DIRECTORY...
 *
 * -keep writes mutations with new paths to DIR. -merge runs the inputs of the first
 * DIRECTORY, then the others, the shortest first, and copies those of the others with
 * new paths to DIR. An input that fails or takes longer than INPUT_S is saved as
 * ./crash-input. */
#include <dirent.h>  /* opendir */
#include <signal.h>  /* signal */
#include <stdbool.h> /* bool */
#include <stddef.h>  /* offsetof */
#include <stdint.h>  /* uint8_t */
#include <stdio.h>   /* fopen */
#include <stdlib.h>  /* strtoul */
#include <string.h>  /* memcpy */
#include <time.h>    /* clock_gettime */
#include <unistd.h>  /* alarm */

#include "guide.h"

/* The maximum time of one input, in seconds: an endless loop is a failure. */
#define INPUT_S 20

#define INPUT_MAX 4096
#define NINPUTS_MAX 16384

struct input {
    size_t len;
    uint8_t bytes[INPUT_MAX]; /* of one in `inputs`: room for `len` */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input *inputs[NINPUTS_MAX];
static size_t ninputs;
static struct input current; /* the input of the target, for on_abort */

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

/* Pseudo-random numbers that are the same in every run (xorshift). */
static uint32_t
next_number(uint32_t *seed, uint32_t below)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % below;
}

static void
copy_input(struct input *to, const struct input *from)
{
    to->len = from->len;
    memcpy(to->bytes, from->bytes, from->len);
}

static void
add_current(void)
{
    struct input *input = malloc(offsetof(struct input, bytes) + current.len + 1);

    if (input == NULL)
        exit(2);
    copy_input(input, &current);
    inputs[ninputs++] = input;
}

/* Writes `current` to a file below `dir` whose name is its checksum. */
static void
keep_current(const char *dir)
{
    char name[1024];
    uint64_t sum = 14695981039346656037u;

    for (size_t i = 0; i < current.len; i++)
        sum = (sum ^ current.bytes[i]) * 1099511628211u;
    snprintf(name, sizeof name, "%s/found-%016llx", dir, (unsigned long long)sum);
    FILE *file = fopen(name, "wb");
    if (file == NULL || fwrite(current.bytes, 1, current.len, file) != current.len) {
        fprintf(stderr, "%s: cannot be written\n", name);
        exit(2);
    }
    fclose(file);
}

static void
add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || ninputs == NINPUTS_MAX) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    current.len = fread(current.bytes, 1, INPUT_MAX, file);
    fclose(file);
    add_current();
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
        memmove(in->bytes + at, with, n);
    in->len = in->len - len + n;
}

/* Changes one or a few bytes, using bytes of the grammar or a part of another input. */
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
    const struct input *other =
        next_number(seed, 8) == 0 ? in : inputs[next_number(seed, (uint32_t)ninputs)];
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

/* A target may let CLOCK_MONOTONIC stand still (tests/c/still_time.h). */
static time_t
seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return now.tv_sec;
}

/* Runs the target on `current`, for at most INPUT_S; returns how many of its paths are
 * new. */
static unsigned
run_current(void)
{
    alarm(INPUT_S);
    guide_begin();
    LLVMFuzzerTestOneInput(current.bytes, current.len);
    return guide_note();
}

struct options {
    unsigned long nruns, seconds;
    uint32_t seed;
    const char *keep, *merge; /* folders; NULL: none */
    size_t nbase;             /* inputs of the first path */
};

/* Runs the target on mutations until both bounds are reached; returns how many ran. */
static unsigned long
run_mutations(struct options *options)
{
    const time_t end = seconds_now() + (time_t)options->seconds;
    unsigned long run = 0;
    uint32_t *seed = &options->seed;

    for (; run < options->nruns || (options->seconds > 0 && seconds_now() < end);
         run++) {
        copy_input(&current, inputs[next_number(seed, (uint32_t)ninputs)]);
        for (uint32_t n = 1 + next_number(seed, 4); n > 0; n--)
            mutate(&current, seed);
        if (run_current() == 0 || ninputs == NINPUTS_MAX)
            continue;
        add_current();
        if (options->keep != NULL)
            keep_current(options->keep);
    }
    return run;
}

static int
by_length(const void *a, const void *b)
{
    const struct input *x = *(struct input *const *)a;
    const struct input *y = *(struct input *const *)b;

    return (x->len > y->len) - (x->len < y->len);
}

/* Returns whether `arg` is "name=value"; sets *value. */
static bool
is_option(const char *arg, const char *name, const char **value)
{
    size_t n = strlen(name);

    if (strncmp(arg, name, n) != 0)
        return false;
    *value = arg + n;
    return true;
}

static void
read_arguments(int argc, char **argv, struct options *options)
{
    const char *value;

    for (int i = 1; i < argc; i++) {
        if (is_option(argv[i], "-runs=", &value))
            options->nruns = strtoul(value, NULL, 10);
        else if (is_option(argv[i], "-seconds=", &value))
            options->seconds = strtoul(value, NULL, 10);
        else if (is_option(argv[i], "-seed=", &value))
            options->seed = (uint32_t)strtoul(value, NULL, 10) | 1;
        else if (!is_option(argv[i], "-keep=", &options->keep) &&
                 !is_option(argv[i], "-merge=", &options->merge)) {
            add_path(argv[i]);
            options->nbase = options->nbase == 0 ? ninputs : options->nbase;
        }
    }
}

int
main(int argc, char **argv)
{
    struct options options = {.seed = 1};

    read_arguments(argc, argv, &options);
    if (ninputs == 0) {
        fprintf(stderr,
                "usage: %s [-runs=N | -seconds=N] [-seed=S] [-keep=DIR] [-merge=DIR] "
                "FILE|DIRECTORY...\n",
                argv[0]);
        return 2;
    }
    if (options.merge != NULL) {
        guide_ignore_counts();
        qsort(inputs + options.nbase, ninputs - options.nbase, sizeof *inputs,
              by_length);
    }
    signal(SIGABRT, on_abort);
    signal(SIGALRM, on_abort);
    size_t nfirst = ninputs;
    for (size_t i = 0; i < nfirst; i++) {
        copy_input(&current, inputs[i]);
        if (run_current() > 0 && options.merge != NULL && i >= options.nbase)
            keep_current(options.merge);
    }
    unsigned long nruns = run_mutations(&options);
    printf("%s: %zu inputs and %lu mutations: no failure", argv[0], nfirst, nruns);
    if (guide_total() > 0)
        printf("; %zu inputs with new paths, %u paths", ninputs - nfirst,
               guide_total());
    printf("\n");
    return 0;
}
