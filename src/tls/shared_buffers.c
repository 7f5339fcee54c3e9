/* SPDX-License-Identifier: MIT */
/* tls/shared_buffers.c — see shared_buffers.h for the contract. */
#include "tls/shared_buffers.h"

#include <openssl/bio.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/io.h"

int
tls_shared_buffers_init(struct tls_shared_buffers *shared, struct clock *clock)
{
    *shared = (struct tls_shared_buffers){.clock = clock};
    shared->in = mem_alloc(TLS_SHARED_IN_BYTES);
    shared->out = mem_alloc(TLS_SHARED_OUT_BYTES);
    shared->piece = mem_alloc(TLS_FILE_BYTES);
    if (shared->in == NULL || shared->out == NULL || shared->piece == NULL) {
        tls_shared_buffers_fini(shared);
        return ERR_NOMEM;
    }
    return 0;
}

void
tls_shared_buffers_fini(struct tls_shared_buffers *shared)
{
    BIO_meth_free(shared->method);
    mem_free(shared->in);
    mem_free(shared->out);
    mem_free(shared->piece);
    *shared = (struct tls_shared_buffers){0};
}
