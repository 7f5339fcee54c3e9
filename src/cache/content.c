/* SPDX-License-Identifier: MIT */
/* cache/content.c — see content.h for the contract. */
#include "cache/content.h"

#include <assert.h> /* assert */

#include "base/mem.h"

/* Shorter bodies are copied to the output queue. */
#define LEND_BYTES_MIN 2048u

static struct content **
contents_slot(struct contents *all, uint64_t serial)
{
    return &all->slots[serial % COUNT(all->slots)];
}

struct content *
contents_find(struct contents *all, uint64_t serial)
{
    struct content *content = *contents_slot(all, serial);

    while (content != NULL && content->serial != serial)
        content = content->next;
    if (content != NULL)
        content_retain(content);
    return content;
}

struct content *
contents_add(struct contents *all, uint64_t serial, const struct store_meta *meta,
             size_t bytes)
{
    struct content **slot = contents_slot(all, serial);
    struct content *content = mem_alloc(sizeof *content + bytes);

    if (content == NULL)
        return NULL;
    assert(meta->head_bytes <= bytes);
    *content = (struct content){
        .next = *slot,
        .all = all,
        .serial = serial,
        .refs = 1,
        .meta = *meta,
        .bytes = bytes,
        .body_offset = meta->head_bytes,
    };
    *slot = content;
    all->n++;
    return content;
}

void
content_retain(struct content *content)
{
    assert(content->refs > 0);
    content->refs++;
}

void
content_release(struct content *content)
{
    if (content == NULL)
        return;
    assert(content->refs > 0);
    if (--content->refs > 0)
        return;
    struct content **at = contents_slot(content->all, content->serial);
    while (*at != content) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = content->next;
    assert(content->all->n > 0);
    content->all->n--;
    mem_free(content);
}

static void
retain_owner(void *owner)
{
    content_retain(owner);
}

static void
release_owner(void *owner)
{
    content_release(owner);
}

const struct lender content_lender = {
    .retain = retain_owner,
    .release = release_owner,
    .bytes_min = LEND_BYTES_MIN,
};
