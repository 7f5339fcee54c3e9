/* SPDX-License-Identifier: MIT */
/* builtin/builtin.h — endpoints that the engine serves without the application: the
 * state of the server (health), its counters (metrics), and a page that shows both.
 * They are one link of the chain of handlers (http/handler.h), the same for every
 * protocol. */
#ifndef BUILTIN_BUILTIN_H
#define BUILTIN_BUILTIN_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h"   /* MUST_USE */
#include "base/list.h"       /* struct list_node */
#include "base/slice.h"      /* struct slice */
#include "builtin/history.h" /* struct history */
#include "http/handler.h"    /* struct handler */
#include "http/session.h"    /* struct service */

/* Pages that one server updates at the same time; one more gets a 503. */
#define BUILTIN_WATCHERS_MAX 32

/* Connections of LISTEN_BUILTIN in addition to limits.connections. */
#define BUILTIN_CONNECTIONS_MAX 64

/* Interval of the updates of an open page. */
#define BUILTIN_NEWS_MS 1000u

/* The paths of the endpoints; an empty path: none. On a listener of LISTEN_BUILTIN they
 * are always at /health, /metrics, / and /events. */
struct builtin_config {
    struct slice health_path;  /* with /live and /ready below it, or ?live and ?ready */
    struct slice metrics_path; /* Prometheus text format 0.0.4 */
    struct slice status_path;  /* with /events below it */
    struct slice page;         /* HTML of the status page */
    struct slice about;        /* JSON object that describes the server; "": unknown */
    struct slice labels; /* of bolide_build_info: name="value", separated by commas */
    struct history *history; /* shared by all workers; NULL: none */
};

/* Part of a server; the handler_arg of its streams. */
struct builtin {
    struct handler handler;        /* the link; registered by the server */
    struct builtin_config config;  /* all borrowed */
    struct service *service;       /* borrowed */
    const struct tallies *tallies; /* borrowed: the counters of all workers */
    struct list_node watchers;     /* open pages */
    unsigned nwatchers;
    uint64_t news_due_ms; /* when they are updated; TIMER_NEVER */
    uint64_t note_due_ms; /* when the history is written next; TIMER_NEVER */
    /* Called when news_due_ms has been set: builtin_on_time() must be called at that
     * time. */
    void (*on_due)(struct builtin *builtin, uint64_t due_ms);
};

/* Initializes a struct that is all zero except `service`, `tallies` and `on_due`. */
void builtin_init(struct builtin *builtin, const struct builtin_config *config);

/* Returns whether anything is served on listeners of the application. */
bool builtin_is_on(const struct builtin *builtin);

/* Called when a turn has begun: records values for pages that are opened later. */
void builtin_on_turn(struct builtin *builtin, uint64_t now_ms);

/* Sends updates to open pages when they are due, and reports the next time with
 * on_due. */
void builtin_on_time(struct builtin *builtin);

/* Ends the open pages gracefully when the server stops. */
void builtin_end_watchers(struct builtin *builtin);

/* Responds to `s` with `status` and a whole body of the media type `type`. Returns 0 or
 * an error, as stream_handler.on_request does. */
MUST_USE int builtin_answer(struct stream *s, int status, const char *type,
                            struct slice body);

/* For handlers that pull nothing, and store nothing for an exchange. */
void builtin_ignore_body(struct stream *s, struct slice bytes, bool last);
void builtin_ignore_writable(struct stream *s);
void builtin_ignore_close(struct stream *s, int why);

/* In status.c: the page, and its events. handler_arg is the struct builtin. */
extern const struct stream_handler builtin_page_handler, builtin_events_handler;

/* In metrics.c. */
extern const struct stream_handler builtin_metrics_handler;

#endif
