/* SPDX-License-Identifier: MIT */
/* base/log.c — see log.h for the contract. */
#include "base/log.h"

#include <stdarg.h> /* va_list */
#include <stdio.h>  /* vsnprintf */

/* The number of slots, from its hash on, in which a complaint may be stored. */
#define SEEN_PROBES 4u

void
log_init(struct log *log, log_sink *sink, void *arg, enum log_level level)
{
    *log = (struct log){.sink = sink, .sink_arg = arg, .level = level};
}

/* Copies `text` to out[cap], control characters as \xNN; returns the bytes written. */
static size_t
escape(const char *text, char *out, size_t cap)
{
    size_t n = 0;

    for (; *text != '\0' && n + 4 < cap; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte >= 0x20 && byte != 0x7f) {
            out[n++] = (char)byte;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = "0123456789abcdef"[byte >> 4];
            out[n++] = "0123456789abcdef"[byte & 15];
        }
    }
    return n;
}

void
log_line(struct log *log, enum log_level level, const char *format, ...)
{
    char raw[LOG_LINE_BYTES], line[LOG_LINE_BYTES];
    va_list args;

    if (log->sink == NULL || level < log->level)
        return;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    size_t n = escape(raw, line, sizeof line);
    log->sink(log->sink_arg, level, slice_new(line, n));
}

/* FNV-1a; 0 marks a free slot. */
static uint64_t
hash(int reason, struct slice address)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ (uint32_t)reason;

    h *= UINT64_C(1099511628211);
    for (size_t i = 0; i < address.len; i++)
        h = (h ^ (unsigned char)address.ptr[i]) * UINT64_C(1099511628211);
    return h == 0 ? 1 : h;
}

bool
log_may_complain(struct log *log, int reason, struct slice address, uint64_t now_ms,
                 uint32_t *dropped)
{
    uint64_t key = hash(reason, address);
    unsigned oldest = (unsigned)(key % LOG_SEEN_SLOTS);

    *dropped = 0;
    for (unsigned i = 0; i < SEEN_PROBES; i++) {
        unsigned slot = (unsigned)((key + i) % LOG_SEEN_SLOTS);
        if (log->seen[slot].key == key) {
            if (now_ms < log->seen[slot].until_ms) {
                log->seen[slot].dropped++;
                return false;
            }
            oldest = slot;
            *dropped = log->seen[slot].dropped;
            break;
        }
        if (log->seen[slot].until_ms < log->seen[oldest].until_ms)
            oldest = slot;
    }
    log->seen[oldest].key = key;
    log->seen[oldest].until_ms = now_ms + LOG_SEEN_INTERVAL_MS;
    log->seen[oldest].dropped = 0;
    return true;
}
