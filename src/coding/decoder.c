/* SPDX-License-Identifier: MIT */
/* coding/decoder.c — see decoder.h for the contract. */
#include "coding/decoder.h"

#include <assert.h> /* assert */

#include "base/err.h"

const struct decoder_ops *
decoder_find(enum coding coding)
{
    switch (coding) {
    case CODING_GZIP:
        return &decoder_gzip_ops;
#ifdef HAVE_BROTLI
    case CODING_BROTLI:
        return &decoder_brotli_ops;
#endif
#ifdef HAVE_ZSTD
    case CODING_ZSTD:
        return &decoder_zstd_ops;
#endif
    default:
        return NULL;
    }
}

int
decoders_take(struct decoders *decoders, enum coding coding, struct decoder **out)
{
    const struct decoder_ops *ops = decoder_find(coding);
    struct decoder *d = decoders->kept[coding];

    assert(ops != NULL && decoders->nlent <= decoders->nlent_max);
    if (decoders->nlent == decoders->nlent_max)
        return ERR_DECODERS;
    if (d != NULL) {
        decoders->kept[coding] = d->next;
        decoders->nkept[coding]--;
    } else {
        d = ops->create();
        if (d == NULL)
            return ERR_NOMEM;
        d->ops = ops;
        d->coding = coding;
    }
    d->next = NULL;
    decoders->nlent++;
    int err = ops->begin(d);
    if (err != 0)
        decoders_give(decoders, d);
    else
        *out = d;
    return err;
}

void
decoders_give(struct decoders *decoders, struct decoder *d)
{
    if (d == NULL)
        return;
    assert(decoders->nlent > 0 && d->next == NULL);
    decoders->nlent--;
    if (decoders->nkept[d->coding] == DECODERS_KEPT) {
        d->ops->destroy(d);
        return;
    }
    d->next = decoders->kept[d->coding];
    decoders->kept[d->coding] = d;
    decoders->nkept[d->coding]++;
}

void
decoders_fini(struct decoders *decoders)
{
    assert(decoders->nlent == 0);
    for (enum coding coding = 0; coding < CODING_END; coding++) {
        struct decoder *d;
        while ((d = decoders->kept[coding]) != NULL) {
            decoders->kept[coding] = d->next;
            d->ops->destroy(d);
        }
        decoders->nkept[coding] = 0;
    }
}
