/* SPDX-License-Identifier: MIT */
/* coding/encoder.c — see encoder.h for the contract. */
#include "coding/encoder.h"

#include <assert.h> /* assert */

const struct encoder_ops *
encoder_find(enum coding coding)
{
    switch (coding) {
    case CODING_GZIP:
        return &encoder_gzip_ops;
#ifdef HAVE_BROTLI
    case CODING_BROTLI:
        return &encoder_brotli_ops;
#endif
#ifdef HAVE_ZSTD
    case CODING_ZSTD:
        return &encoder_zstd_ops;
#endif
    default:
        return NULL;
    }
}

struct encoder *
encoders_take(struct encoders *encoders, enum coding coding, uint64_t size)
{
    const struct encoder_ops *ops = encoder_find(coding);
    struct encoder *e = encoders->kept[coding];

    assert(ops != NULL && encoders->nlent <= encoders->nlent_max);
    if (encoders->nlent == encoders->nlent_max)
        return NULL;
    if (e != NULL) {
        encoders->kept[coding] = e->next;
        encoders->nkept[coding]--;
    } else {
        e = ops->create(encoders->levels[coding]);
        if (e == NULL)
            return NULL;
        e->ops = ops;
        e->coding = coding;
    }
    e->next = NULL;
    encoders->nlent++;
    if (ops->begin(e, size) == 0)
        return e;
    encoders_give(encoders, e);
    return NULL;
}

void
encoders_give(struct encoders *encoders, struct encoder *e)
{
    if (e == NULL)
        return;
    assert(encoders->nlent > 0 && e->next == NULL);
    encoders->nlent--;
    if (e->ops->end != NULL)
        e->ops->end(e);
    if (encoders->nkept[e->coding] == ENCODERS_KEPT) {
        e->ops->destroy(e);
        return;
    }
    e->next = encoders->kept[e->coding];
    encoders->kept[e->coding] = e;
    encoders->nkept[e->coding]++;
}

void
encoders_fini(struct encoders *encoders)
{
    assert(encoders->nlent == 0);
    for (enum coding coding = 0; coding < CODING_END; coding++) {
        struct encoder *e;
        while ((e = encoders->kept[coding]) != NULL) {
            encoders->kept[coding] = e->next;
            e->ops->destroy(e);
        }
        encoders->nkept[coding] = 0;
    }
}
