/* SPDX-License-Identifier: MIT */
/* http3/early.c — see early.h for the contract. */
#include "http3/early.h"

#include <assert.h> /* assert */

/* RFC 9110 9.2.1; TRACE is rejected in any case. */
static bool
early_is_safe(struct slice method)
{
    return slice_equal(method, slice_of("GET")) ||
           slice_equal(method, slice_of("HEAD")) ||
           slice_equal(method, slice_of("OPTIONS"));
}

bool
h3_early_must_wait(struct h3_session *h, struct h3_exchange *x)
{
    if (LIKELY(!h->carrier->is_early))
        return false;
    x->section.is_early = early_is_safe(request_section_method(&x->section));
    return !x->section.is_early && x->section.err == 0;
}

void
h3_early_hold(struct h3_session *h, struct h3_exchange *x, bool ended)
{
    assert(h->carrier->is_early && !x->is_held && !x->mux.has_begun);
    x->is_held = true;
    x->early_ended = ended;
    h->nheld++;
}

int
h3_early_keep(struct h3_exchange *x, struct slice bytes)
{
    assert(x->is_held && !x->early_ended);
    return buf_append(&x->early_body, bytes);
}

void
h3_early_drop(struct h3_session *h, struct h3_exchange *x)
{
    if (!x->is_held)
        return;
    assert(h->nheld > 0);
    x->is_held = false;
    h->nheld--;
    buf_release(&x->early_body);
}
