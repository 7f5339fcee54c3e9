/* SPDX-License-Identifier: MIT */
/* py/libraries.c — see libraries.h for the contract. */
#include "py/libraries.h"

#include <assert.h> /* assert */
#include <stdio.h>  /* snprintf */

#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <zlib.h>
#ifdef HAVE_BROTLI
#include <brotli/encode.h>
#endif
#ifdef HAVE_HTTP3
#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "about_build.h"
#include "coding/encoder.h"

#ifdef HAVE_BUILT_IN_LIBRARIES
#define BUILT_IN 1
#else
#define BUILT_IN 0
#endif

/* Adds a library to `found`. Returns 0, or -1 with an exception set. */
static int
libraries_add(PyObject *found, const char *name, const char *version)
{
    PyObject *text = PyUnicode_FromString(version);
    int result = text == NULL ? -1 : PyDict_SetItemString(found, name, text);

    Py_XDECREF(text);
    return result;
}

/* Adds those without which only gzip compresses responses, or HTTP/3 is missing. */
static int
libraries_add_optional(PyObject *found)
{
#ifdef HAVE_BROTLI
    char version[40];
    uint32_t number = BrotliEncoderVersion();

    snprintf(version, sizeof version, "%u.%u.%u", (unsigned)(number >> 24),
             (unsigned)(number >> 12 & 0xfff), (unsigned)(number & 0xfff));
    if (libraries_add(found, "Brotli", version) < 0)
        return -1;
#endif
#ifdef HAVE_ZSTD
    if (libraries_add(found, "Zstandard", ZSTD_versionString()) < 0)
        return -1;
#endif
#ifdef HAVE_HTTP3
    if (libraries_add(found, "ngtcp2", ngtcp2_version(0)->version_str) < 0 ||
        libraries_add(found, "nghttp3", nghttp3_version(0)->version_str) < 0)
        return -1;
#endif
    return 0;
}

PyObject *
libraries_versions(PyObject *Py_UNUSED(mod), PyObject *Py_UNUSED(ignored))
{
    assert(!PyErr_Occurred());
    PyObject *found = PyDict_New();
    if (found == NULL ||
        libraries_add(found, "OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)) < 0 ||
        libraries_add(found, "nghttp2", nghttp2_version(0)->version_str) < 0 ||
        libraries_add(found, "zlib", zlibVersion()) < 0 ||
        libraries_add_optional(found) < 0) {
        Py_XDECREF(found);
        return NULL;
    }
    return found;
}

/* Adds the names of the codings by which responses can be compressed. */
static int
libraries_add_codings(PyObject *mod)
{
    PyObject *names = PyList_New(0);
    int result = names == NULL ? -1 : 0;

    for (enum coding coding = 0; coding < CODING_END && result == 0; coding++) {
        if (encoder_find(coding) == NULL)
            continue;
        PyObject *name = PyUnicode_FromString(coding_name(coding).ptr);
        result = name == NULL ? -1 : PyList_Append(names, name);
        Py_XDECREF(name);
    }
    PyObject *tuple = result == 0 ? PyList_AsTuple(names) : NULL;
    result = tuple == NULL ? -1 : PyModule_AddObjectRef(mod, "CODINGS", tuple);
    Py_XDECREF(tuple);
    Py_XDECREF(names);
    return result;
}

int
libraries_describe(PyObject *mod)
{
    assert(!PyErr_Occurred());
    if (PyModule_AddStringConstant(mod, "VERSION", BOLIDE_VERSION) < 0 ||
        PyModule_AddStringConstant(mod, "COMPILER", BOLIDE_COMPILER) < 0 ||
        PyModule_AddStringConstant(mod, "OPTIMIZATION", BOLIDE_OPTIMIZATION) < 0)
        return -1;
    if (libraries_add_codings(mod) < 0)
        return -1;
    return PyModule_AddObjectRef(mod, "BUILT_IN", BUILT_IN ? Py_True : Py_False);
}
