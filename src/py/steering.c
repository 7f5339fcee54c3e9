/* SPDX-License-Identifier: MIT */
/* py/steering.c — see steering.h for the contract. */
#include "py/steering.h"

#ifdef HAVE_HTTP3

#include <assert.h> /* assert */

#include "base/err.h"
#include "quic/ids.h"
#include "quic/steering.h"

/* Reads an ascending list to seats[0, QUIC_SEATS_MAX). Returns 0, or -1 with an
 * exception. */
static int
read_seats(PyObject *list, uint16_t *seats, struct quic_seats *out)
{
    const Py_ssize_t n = PyList_GET_SIZE(list);
    long last = -1;

    if (n > (Py_ssize_t)QUIC_SEATS_MAX) {
        PyErr_SetString(PyExc_ValueError, "too many seats");
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        long seat = PyLong_AsLong(PyList_GET_ITEM(list, i));
        if (seat == -1 && PyErr_Occurred())
            return -1;
        if (seat <= last || seat >= (long)QUIC_SEATS_MAX) {
            PyErr_Format(PyExc_ValueError, "seat %ld is out of order or range", seat);
            return -1;
        }
        seats[i] = (uint16_t)seat;
        last = seat;
    }
    *out = (struct quic_seats){seats, (size_t)n};
    return 0;
}

static int
steer(int fd, struct slice secret, struct quic_seats open, struct quic_seats accepting)
{
    uint32_t mask;
    int err = quic_seat_mask(&mask, secret);

    assert(accepting.n > 0);
    return err == 0 ? quic_steering_attach(fd, mask, open, accepting) : err;
}

PyObject *
steering_can(PyObject *mod, PyObject *ignored)
{
    (void)mod;
    (void)ignored;
    return PyBool_FromLong(quic_steering_works());
}

PyObject *
steering_set(PyObject *mod, PyObject *args)
{
    uint16_t open_seats[QUIC_SEATS_MAX], accepting_seats[QUIC_SEATS_MAX];
    struct quic_seats open, accepting;
    PyObject *secret, *open_list, *accepting_list;
    int fd;

    (void)mod;
    if (!PyArg_ParseTuple(args, "iSO!O!:steer_quic", &fd, &secret, &PyList_Type,
                          &open_list, &PyList_Type, &accepting_list) ||
        read_seats(open_list, open_seats, &open) < 0 ||
        read_seats(accepting_list, accepting_seats, &accepting) < 0)
        return NULL;
    if (accepting.n == 0) {
        PyErr_SetString(PyExc_ValueError, "no seat accepts connections");
        return NULL;
    }
    const struct slice text =
        slice_new(PyBytes_AS_STRING(secret), (size_t)PyBytes_GET_SIZE(secret));
    int err = steer(fd, text, open, accepting);
    if (err == ERR_NOMEM)
        return PyErr_NoMemory();
    if (err != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

#else

PyObject *
steering_can(PyObject *mod, PyObject *ignored)
{
    (void)mod;
    (void)ignored;
    Py_RETURN_FALSE;
}

PyObject *
steering_set(PyObject *mod, PyObject *args)
{
    (void)mod;
    (void)args;
    PyErr_SetString(PyExc_ValueError, "this build has no HTTP/3");
    return NULL;
}

#endif
