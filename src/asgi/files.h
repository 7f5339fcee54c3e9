/* SPDX-License-Identifier: MIT */
/* asgi/files.h — files as bodies: http.response.pathsend and http.response.zerocopysend.
 * The bytes go from the file to the peer as it takes them, without Python; small files are
 * read at once.  The caller has looked at the message's type, and holds `call`. */
#ifndef ASGI_FILES_H
#define ASGI_FILES_H

#include <Python.h>

#include "asgi/call.h" /* CallObject */

/* Sends the regular file at "path", which ends the response (ASGI G6).  Returns what
 * send() returns; nothing has been sent when it raises: OSError where the file cannot be
 * used, RuntimeError where the message cannot be. */
PyObject *files_send_path(CallObject *call, PyObject *message);

/* Sends a part of the open regular file "file", which stays the application's (ASGI
 * G13). */
PyObject *files_send_file(CallObject *call, PyObject *message);

#endif
