/* SPDX-License-Identifier: MIT */
/* server/inside.h — what the engine itself answers, without the application: how the
 * server is (health), what it has counted (metrics), and a page that shows both.  Over
 * every protocol alike: these are stream handlers, and a request is given to one of them
 * before anything else looks at it. */
#ifndef SERVER_INSIDE_H
#define SERVER_INSIDE_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h"  /* MUST_USE */
#include "base/list.h"      /* struct list_node */
#include "base/slice.h"     /* struct slice */
#include "http/stream.h"    /* struct stream_handler */
#include "server/history.h" /* struct history */

struct server;

/* Pages that one server keeps up to date at once; one more gets 503. */
#define INSIDE_WATCHERS_MAX 32

/* Connections of LISTEN_INSIDE beyond limits.connections. */
#define INSIDE_CONNECTIONS_MAX 64

/* How often a page that is open hears the news. */
#define INSIDE_NEWS_MS 1000u

/* Where the answers are; an empty path: nowhere.  On a listener of LISTEN_INSIDE they are
 * at /health, /metrics, / and /events whatever these say. */
struct inside_config {
    struct slice health_path;  /* with /live and /ready below it, or ?live and ?ready */
    struct slice metrics_path; /* Prometheus text format 0.0.4 */
    struct slice status_path;  /* with /events below it */
    struct slice page;         /* HTML of the status page */
    struct slice about;        /* JSON object: which server this is; "": nobody knows */
    struct slice labels; /* of bolide_build_info, name="value" with commas between */
    struct history *history; /* shared by all workers; NULL: there is none */
};

/* A part of a server. */
struct inside {
    struct inside_config config; /* all borrowed */
    struct list_node watchers;   /* pages that are open */
    unsigned nwatchers;
    uint64_t news_due_ms; /* when they hear the news; TIMER_NEVER */
    uint64_t note_due_ms; /* when the history is looked at again; TIMER_NEVER */
};

/* Prepares server->inside, and has requests picked where there is anything to answer. */
void inside_init(struct server *server, const struct inside_config *config);

/* A turn has begun: notes what there is to note for pages that are opened later. */
void inside_on_turn(struct server *server, uint64_t now_ms);

/* From now on a listener answers nothing but what is here. */
void inside_open_door(struct server *server);

/* Tells pages that are open the news when they are due; notes when that is next. */
void inside_on_time(struct server *server);

/* Ends the pages that are open, in order: the server stops. */
void inside_end_watchers(struct server *server);

/* Answers `s` with `status` and a whole body of the media type `type`.  Returns 0 or an
 * error, as stream_handler.on_request does. */
MUST_USE int inside_answer(struct stream *s, int status, const char *type,
                           struct slice body);

/* Those of status.c: the page, and what it hears. */
extern const struct stream_handler inside_page_handler, inside_events_handler;

/* That of metrics.c. */
extern const struct stream_handler inside_metrics_handler;

#endif
