/* SPDX-License-Identifier: MIT */
/* tests/c/test_log.c — a line is one line whatever it contains, and a complaint is
 * not repeated too soon. */
#include "base/log.c"

#include "base/compiler.h"
#include "tap.h"

/* The last line that was logged. */
struct said {
    char text[LOG_LINE_BYTES + 1];
    enum log_level level;
    int nlines;
};

static void
keep(void *arg, enum log_level level, struct slice line)
{
    struct said *said = arg;

    memcpy(said->text, line.ptr, line.len);
    said->text[line.len] = '\0';
    said->level = level;
    said->nlines++;
}

static void
test_lines_below_the_level_are_dropped(void)
{
    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        struct said said = {.nlines = 0};
        struct log log;
        log_init(&log, keep, &said, (enum log_level)level);
        for (int line = LOG_DEBUG; line <= LOG_ERROR; line++)
            log_line(&log, (enum log_level)line, "%d", line);
        is(said.nlines, LOG_ERROR - level + 1, "level %d", level);
        is(said.level, LOG_ERROR, "the level is passed");
    }
}

static void
test_a_log_without_a_sink_logs_nothing(void)
{
    struct log log;

    log_init(&log, NULL, NULL, LOG_DEBUG);
    log_line(&log, LOG_ERROR, "%s", "no sink gets this");
    ok(log.sink == NULL, "and nothing fails");
}

static void
test_control_characters_cannot_forge_a_line(void)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain text", "plain text"},
        {"", ""},
        {"a\r\nb", "a\\x0d\\x0ab"},
        {"\x1b[31m", "\\x1b[31m"},
        {"\t\x7f\x01\x1f", "\\x09\\x7f\\x01\\x1f"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"100%s%n", "100%s%n"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct said said = {.nlines = 0};
        struct log log;
        log_init(&log, keep, &said, LOG_DEBUG);
        log_line(&log, LOG_INFO, "%s", rows[i].in);
        is_text(said.text, rows[i].out, "row %zu", i);
    }
}

static void
test_a_line_that_is_too_long_is_cut(void)
{
    static const char fills[] = {'x', '\n', '\xc3'};

    for (size_t i = 0; i < COUNT(fills); i++) {
        char text[3 * LOG_LINE_BYTES];
        struct said said = {.nlines = 0};
        struct log log;
        memset(text, fills[i], sizeof text - 1);
        text[sizeof text - 1] = '\0';
        log_init(&log, keep, &said, LOG_DEBUG);
        log_line(&log, LOG_INFO, "%s", text);
        size_t len = strlen(said.text);
        ok(len > LOG_LINE_BYTES - 8 && len < LOG_LINE_BYTES, "filled with %02x: %zu",
           (unsigned char)fills[i], len);
        ok(strchr(said.text, '\n') == NULL, "it is one line");
    }
}

static void
test_a_complaint_is_logged_once_per_interval(void)
{
    struct log log;
    uint32_t dropped = 99;
    struct slice a = slice_of("192.0.2.1"), b = slice_of("192.0.2.2");

    log_init(&log, NULL, NULL, LOG_DEBUG);
    ok(log_may_complain(&log, -1, a, 1000, &dropped), "the first is logged");
    is(dropped, 0, "and none was dropped");
    for (uint64_t ms = 1000; ms < 1000 + LOG_SEEN_INTERVAL_MS; ms += 6000)
        ok(!log_may_complain(&log, -1, a, ms, &dropped), "at %d ms it is not", (int)ms);
    ok(log_may_complain(&log, -2, a, 1001, &dropped), "another reason is");
    is(dropped, 0, "and none of it was dropped");
    ok(log_may_complain(&log, -1, b, 1001, &dropped), "another address is");
    ok(log_may_complain(&log, -1, a, 1000 + LOG_SEEN_INTERVAL_MS, &dropped),
       "later it is logged again");
    is(dropped, 10, "with the number of dropped lines");
    ok(!log_may_complain(&log, -1, a, 1001 + LOG_SEEN_INTERVAL_MS, &dropped),
       "and suppresses the next line");
    ok(log_may_complain(&log, -1, a, 1000 + 3 * LOG_SEEN_INTERVAL_MS, &dropped),
       "then is logged");
    is(dropped, 1, "with a new count");
}

/* Many addresses may evict each other and are logged again then; none that was not
 * logged is silenced, and one that remains is still silenced. */
static void
test_many_addresses_need_no_more_memory(void)
{
    struct log log;
    uint32_t dropped;
    int nsaid = 0;

    log_init(&log, NULL, NULL, LOG_DEBUG);
    for (int i = 0; i < 5000; i++) {
        char host[32];
        int len = snprintf(host, sizeof host, "2001:db8::%x", (unsigned)i);
        struct slice address = slice_new(host, (size_t)len);
        nsaid += log_may_complain(&log, -1, address, 1000 + (uint64_t)i, &dropped);
        if (log_may_complain(&log, -1, address, 1001 + (uint64_t)i, &dropped))
            ok(false, "%s is logged twice", host);
    }
    is(nsaid, 5000, "each new address is logged once");
}

int
main(void)
{
    test_lines_below_the_level_are_dropped();
    test_a_log_without_a_sink_logs_nothing();
    test_control_characters_cannot_forge_a_line();
    test_a_line_that_is_too_long_is_cut();
    test_a_complaint_is_logged_once_per_interval();
    test_many_addresses_need_no_more_memory();
    return tap_done();
}
