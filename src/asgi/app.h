/* SPDX-License-Identifier: MIT */
/* asgi/app.h — calls the application once per request, each call in its own Task,
 * and is notified when the call ends. */
#ifndef ASGI_APP_H
#define ASGI_APP_H

#include "http/stream.h" /* struct stream_handler */

/* The handler that serves streams with the application of `handler_arg`, a struct
 * bridge after bridge_open(). Its callbacks hold the GIL and run inside the engine's
 * turn. */
extern const struct stream_handler app_handler;

#endif
