/* SPDX-License-Identifier: MIT */
/* asgi/http/files.h — files as bodies: http.response.pathsend and
 * http.response.zerocopysend. The bytes go from the file to the peer as it accepts
 * them, without Python; small files are read immediately. The caller has checked the
 * type of the message, and holds `call`. */
#ifndef ASGI_HTTP_FILES_H
#define ASGI_HTTP_FILES_H

#include <Python.h>

#include "asgi/call.h" /* CallObject */

/* Sends the regular file at "path", which ends the response (ASGI G6). Returns what
 * send() returns. Nothing has been sent if it raises: OSError if the file cannot be
 * used, RuntimeError if the message is not allowed. */
PyObject *files_send_path(CallObject *call, PyObject *message);

/* Sends a part of the open regular file "file", which the application still owns
 * (ASGI G13). */
PyObject *files_send_file(CallObject *call, PyObject *message);

#endif
