/* SPDX-License-Identifier: MIT */
/* asgi/running.h — the running calls of the application, which bridge->running owns. */
#ifndef ASGI_RUNNING_H
#define ASGI_RUNNING_H

#include <Python.h>

#include "asgi/bridge.h" /* struct bridge */

/* Visits them on behalf of the owner of the bridge. */
int running_visit(struct bridge *bridge, visitproc visit, void *arg);

/* Drops them, before bridge_clear(): only an unreachable server still has any. */
void running_drop(struct bridge *bridge);

/* Cancels the Task of each call that was not cancelled before. */
void running_cancel(struct bridge *bridge);

#endif
