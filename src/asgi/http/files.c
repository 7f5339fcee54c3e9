/* SPDX-License-Identifier: MIT */
/* asgi/http/files.c — see files.h for the contract. */
#include "asgi/http/files.h"

#include <assert.h>   /* assert */
#include <errno.h>    /* errno */
#include <fcntl.h>    /* open */
#include <sys/stat.h> /* fstat */
#include <unistd.h>   /* close, lseek */

#include "asgi/message.h"
#include "asgi/raise.h"
#include "asgi/http/respond.h"
#include "base/err.h"
#include "base/file.h"
#include "base/narrow.h"

/* A file of at most this size is read immediately, so that it is sent together with
 * its head. */
#define SMALL_BYTES 16384

/* The part of a file that is to be sent. */
struct part {
    int fd;       /* owned */
    int64_t size; /* of the whole file */
    int64_t offset, n;
    bool last;
};

/* Determines the size; only a regular file has one. */
static int
files_measure(struct part *part)
{
    struct stat facts;

    if (fstat(part->fd, &facts) != 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (!S_ISREG(facts.st_mode)) {
        PyErr_SetString(PyExc_OSError, "not a regular file");
        return -1;
    }
    part->size = facts.st_size;
    return 0;
}

static int
send_chunk(CallObject *call, struct chunk *chunk, bool last)
{
    int err = respond_chunk(call, chunk, last);

    if (err == ERR_AGAIN)
        call->is_blocked = call->stream != NULL && call->stream->waits_for_writable;
    return err;
}

/* Reads a small part immediately. */
static PyObject *
send_small(CallObject *call, const struct part *part)
{
    const struct file file = {.fd = part->fd};
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, part->n);
    if (bytes == NULL)
        return NULL;
    int err = file_read(&file, narrow_size(part->offset), PyBytes_AS_STRING(bytes),
                        narrow_size(part->n));
    struct chunk chunk = {
        .bytes = slice_new(PyBytes_AS_STRING(bytes), narrow_size(part->n)),
        .lender = &object_lender,
        .owner = bytes,
    };
    if (err == 0)
        err = send_chunk(call, &chunk, part->last);
    Py_DECREF(bytes);
    return respond_result(call, err);
}

static PyObject *
send_large(CallObject *call, struct part *part)
{
    struct file *file = file_new(part->fd);
    if (file == NULL)
        return PyErr_NoMemory();
    part->fd = -1;
    struct chunk chunk = {
        .bytes = slice_new(NULL, narrow_size(part->n)),
        .file = file,
        .offset = narrow_size(part->offset),
    };
    int err = send_chunk(call, &chunk, part->last);
    file_release(file);
    return respond_result(call, err);
}

/* Closes part->fd, or passes it to the stream. Reading the message may have run any
 * code. */
static PyObject *
send_part(CallObject *call, struct part *part, const char *type)
{
    PyObject *result = NULL;

    assert(part->fd >= 0 && part->offset >= 0 && part->n >= 0);
    assert(part->n == 0 || part->n <= part->size - part->offset);
    if (respond_check_order(call, type) == 0)
        result =
            part->n <= SMALL_BYTES ? send_small(call, part) : send_large(call, part);
    if (part->fd >= 0)
        close(part->fd);
    return result;
}

/* Opens a file, without waiting for the writer of a FIFO. `path` is for the
 * exception. */
static int
open_path(struct part *part, PyObject *path)
{
    PyObject *name;

    if (!PyUnicode_FSConverter(path, &name))
        return -1;
    part->fd = open(PyBytes_AS_STRING(name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    Py_DECREF(name);
    if (part->fd < 0) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
        return -1;
    }
    if (files_measure(part) == 0)
        return 0;
    close(part->fd);
    return -1;
}

PyObject *
files_send_path(CallObject *call, PyObject *message)
{
    static const char type[] = "http.response.pathsend";
    struct part part = {.last = true};
    PyObject *path;

    if (respond_check_order(call, type) < 0)
        return NULL;
    assert(call->stream != NULL && !call->stream->is_body_sent);
    if (call->stream->body_sent > 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "http.response.pathsend was sent behind a body");
        return NULL;
    }
    int found = message_get(message, call->bridge->st->str_path, &path);
    if (found == 0)
        PyErr_SetString(PyExc_ValueError, "http.response.pathsend without a path");
    if (found <= 0)
        return NULL;
    int opened = open_path(&part, path);
    Py_DECREF(path);
    if (opened < 0)
        return NULL;
    part.n = part.size;
    return send_part(call, &part, type);
}

/* Reads a number of bytes that may be missing or None, in which case *out is
 * unchanged. */
static int
files_read_bytes(PyObject *message, PyObject *key, int64_t *out)
{
    PyObject *value;
    int found = message_get(message, key, &value);
    if (found <= 0)
        return found;
    if (value != Py_None) {
        long long number = PyLong_AsLongLong(value);
        if (number < 0 && PyErr_Occurred() == NULL)
            PyErr_Format(PyExc_ValueError, "%U must not be negative", key);
        *out = number;
    }
    Py_DECREF(value);
    return PyErr_Occurred() != NULL ? -1 : 0;
}

/* Duplicates the descriptor of "file". */
static int
duplicate(PyObject *message, module_state *st, struct part *part)
{
    PyObject *file;
    int found = message_get(message, st->str_file, &file);
    if (found == 0)
        PyErr_SetString(PyExc_ValueError, "http.response.zerocopysend without a file");
    if (found <= 0)
        return -1;
    int fd = PyObject_AsFileDescriptor(file);
    Py_DECREF(file);
    if (fd < 0)
        return -1;
    part->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (part->fd < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return files_measure(part);
}

/* Determines where the part begins. Without an offset the position of the file
 * moves, as it does for a reader (ASGI G13, G15). */
static int
find_part(PyObject *message, module_state *st, struct part *part)
{
    int64_t offset = -1, count = INT64_MAX;

    int more = message_flag(message, st->str_more_body);
    if (more < 0 || files_read_bytes(message, st->str_offset, &offset) < 0 ||
        files_read_bytes(message, st->str_count, &count) < 0)
        return -1;
    part->last = !more;
    part->offset = offset >= 0 ? offset : lseek(part->fd, 0, SEEK_CUR);
    int64_t left = part->size > part->offset ? part->size - part->offset : 0;
    part->n = count < left ? count : left;
    if (part->offset < 0 ||
        (offset < 0 && lseek(part->fd, part->offset + part->n, SEEK_SET) < 0)) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

PyObject *
files_send_file(CallObject *call, PyObject *message)
{
    static const char type[] = "http.response.zerocopysend";
    module_state *st = call->bridge->st;
    struct part part = {.fd = -1};

    if (respond_check_order(call, type) < 0)
        return NULL;
    if (duplicate(message, st, &part) == 0 && find_part(message, st, &part) == 0)
        return send_part(call, &part, type);
    if (part.fd >= 0)
        close(part.fd);
    return NULL;
}
