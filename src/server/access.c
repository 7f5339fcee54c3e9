/* SPDX-License-Identifier: MIT */
/* server/access.c — see access.h for the contract. */
#include "server/access.h"

#include <poll.h>   /* poll */
#include <stdio.h>  /* snprintf */
#include <unistd.h> /* write */

#include "base/mem.h"
#include "base/timer.h"

/* One line: the request line may grow fourfold by escaping. */
#define LINE_BYTES 2400u

/* A pipe that is ready takes this much without blocking (PIPE_BUF). */
#define WRITE_BYTES 4096u

struct access_log *
access_log_new(int fd)
{
    struct access_log *log = mem_alloc(sizeof *log);
    if (log == NULL)
        return NULL;
    log->fd = fd;
    log->len = 0;
    log->due_ms = TIMER_NEVER;
    log->time_ms = TIMER_NEVER;
    log->ndropped = 0;
    return log;
}

void
access_log_free(struct access_log *log)
{
    if (log == NULL)
        return;
    access_log_write(log);
    mem_free(log);
}

/* Bytes that could end the line or the quotes, or talk to a terminal, are escaped. */
static char *
put_escaped(char *at, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            *at++ = (char)byte;
        } else {
            *at++ = '\\';
            *at++ = 'x';
            *at++ = "0123456789abcdef"[byte >> 4];
            *at++ = "0123456789abcdef"[byte & 15];
        }
    }
    return at;
}

static void
refresh_time(struct access_log *log, const struct clock *clock)
{
    if (log->time_ms != TIMER_NEVER && clock->ms - log->time_ms < 500)
        return;
    clock_log_time(log->time);
    log->time_ms = clock->ms;
}

void
access_log_add(struct access_log *log, const struct clock *clock,
               const struct stream *s, struct slice request_line)
{
    char host[PEER_HOST_BYTES];

    if (log->len + LINE_BYTES > ACCESS_BUFFER_BYTES)
        access_log_write(log);
    if (log->len + LINE_BYTES > ACCESS_BUFFER_BYTES) {
        log->ndropped++;
        return;
    }
    refresh_time(log, clock);
    size_t n = peer_host(s->peer, host);
    char *at = log->buffer + log->len;
    at += snprintf(at, 128, "%s - - [%s] \"", n > 0 ? host : "unix", log->time);
    at = put_escaped(at, request_line);
    at += snprintf(at, 64, "\" %u %llu\n", s->status, (unsigned long long)s->body_sent);
    log->len = (size_t)(at - log->buffer);
    if (log->due_ms == TIMER_NEVER)
        log->due_ms = clock->ms + ACCESS_DELAY_MS;
}

static bool
is_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

void
access_log_write(struct access_log *log)
{
    size_t done = 0;

    while (done < log->len && is_ready(log->fd)) {
        size_t n = log->len - done;
        ssize_t written =
            write(log->fd, log->buffer + done, n < WRITE_BYTES ? n : WRITE_BYTES);
        if (written <= 0)
            break;
        done += (size_t)written;
    }
    log->len -= done;
    memmove(log->buffer, log->buffer + done, log->len);
    log->due_ms = TIMER_NEVER;
}
