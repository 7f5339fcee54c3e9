/* SPDX-License-Identifier: MIT */
/* py/access.c — see access.h for the contract. */
#include "py/access.h"

#include <assert.h> /* assert */

#include "base/err.h"

static int
read_format(const char *text, Py_ssize_t len, bool colors, struct format **out)
{
    char why[FORMAT_WHY_BYTES];
    int err = format_new(slice_new(text, (size_t)len), colors, out, why);

    if (err == ERR_NOMEM)
        PyErr_NoMemory();
    else if (err != 0)
        PyErr_Format(PyExc_ValueError, "%s", why);
    assert((err != 0) == (PyErr_Occurred() != NULL));
    return err == 0 ? 0 : -1;
}

static int
read_kind(const char *name, enum sink_kind *out)
{
    static const char *const names[] = {
        [SINK_STREAM] = "stream",
        [SINK_FILE] = "file",
        [SINK_SYSLOG] = "syslog",
        [SINK_JOURNAL] = "journal",
    };

    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum sink_kind)i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "access_log: no kind of sink: %s", name);
    return -1;
}

int
access_read(PyObject *given, struct access_config *out)
{
    const char *kind, *text;
    Py_ssize_t len;
    int colors;

    assert(out->format == NULL); /* otherwise it would not be freed */
    if (given == Py_None)
        return 0;
    if (!PyTuple_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "access_log must be a tuple or None");
        return -1;
    }
    if (!PyArg_ParseTuple(given, "sizs#p:access_log", &kind, &out->sink.fd,
                          &out->sink.path, &text, &len, &colors))
        return -1;
    if (read_kind(kind, &out->sink.kind) < 0)
        return -1;
    return read_format(text, len, colors != 0, &out->format);
}

PyObject *
access_check_format(PyObject *mod, PyObject *text)
{
    struct format *format;
    Py_ssize_t len;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &len);

    if (utf8 == NULL || read_format(utf8, len, false, &format) < 0)
        return NULL;
    format_free(format);
    Py_RETURN_NONE;
}

PyObject *
access_format(PyObject *Py_UNUSED(mod), PyObject *name)
{
    Py_ssize_t len;
    const char *utf8 = PyUnicode_AsUTF8AndSize(name, &len);

    if (utf8 == NULL)
        return NULL;
    struct slice text = format_text(slice_new(utf8, (size_t)len));
    return PyUnicode_FromStringAndSize(text.ptr, (Py_ssize_t)text.len);
}
