/* SPDX-License-Identifier: MIT */
/* tests/c/fake_service.h — what the connections of a test share. Header only, so that each
 * test stays one file. */
#ifndef TESTS_FAKE_SERVICE_H
#define TESTS_FAKE_SERVICE_H

#include "http/limits.h"
#include "http/session.h" /* struct service */
#include "still_time.h"

/* Initializes a service with the default limits, and a log that nobody reads; the test
 * initializes the pools that it needs. */
static inline void
fake_service_init(struct service *service, const struct stream_handler *handler,
                  void *arg, struct http_field *fields, struct tally *tally)
{
    service->limits = HTTP_LIMITS_DEFAULT;
    service->handler = handler;
    service->handler_arg = arg;
    service->fields = fields;
    service->tally = tally;
    clock_init(&service->clock);
    clock_begin(&service->clock);
    log_init(&service->log, NULL, NULL, LOG_ERROR);
}

#endif
