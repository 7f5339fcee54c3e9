/* SPDX-License-Identifier: MIT */
/* py/log_datagram.c — see log_datagram.h for the contract. */
#include "py/log_datagram.h"

#include <assert.h> /* assert */

#include "base/narrow.h"
#include "log/datagram.h"

static int
find_form(const char *name)
{
    static const char *const names[] = {
        [DATAGRAM_LOCAL_SYSLOG] = "syslog",
        [DATAGRAM_REMOTE_SYSLOG] = "remote",
        [DATAGRAM_JOURNAL] = "journal",
    };

    for (int i = 0; i < (int)COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

/* Returns head, text and, if requested, a newline. */
static PyObject *
join(struct slice head, PyObject *text, bool has_newline)
{
    Py_ssize_t head_len = narrow_ssize(head.len), n = PyBytes_GET_SIZE(text);
    PyObject *all = PyBytes_FromStringAndSize(NULL, head_len + n + has_newline);

    if (all == NULL)
        return NULL;
    char *at = PyBytes_AS_STRING(all);
    memcpy(at, head.ptr, head.len);
    memcpy(at + head_len, PyBytes_AS_STRING(text), (size_t)n);
    if (has_newline)
        at[head_len + n] = '\n';
    return all;
}

PyObject *
log_datagram(PyObject *Py_UNUSED(mod), PyObject *args)
{
    char room[DATAGRAM_HEAD_BYTES];
    const char *name;
    PyObject *line;
    int severity;

    if (!PyArg_ParseTuple(args, "siU:log_datagram", &name, &severity, &line))
        return NULL;
    int form = find_form(name);
    if (form < 0 || severity < 0 || severity > 7) {
        PyErr_SetString(PyExc_ValueError, "no such form or severity");
        return NULL;
    }
    PyObject *text = PyUnicode_AsEncodedString(line, "utf-8", "replace");
    if (text == NULL)
        return NULL;
    PyObject *all = join(datagram_head(form, severity, "-", room), text,
                         datagram_has_newline(form));
    Py_DECREF(text);
    assert((all == NULL) == (PyErr_Occurred() != NULL));
    return all;
}
