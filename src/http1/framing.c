/* SPDX-License-Identifier: MIT */
/* http1/framing.c — see framing.h for the contract. */
#include "http1/framing.h"

#include "base/err.h"    /* ERR_* */
#include "http/field.h"  /* field_list_next, field_to_number */
#include "http/target.h" /* target_split, target_is_host */

/* Results of one walk over the fields. */
struct findings {
    struct http_field *host; /* borrowed from the head; NULL: none */
    uint32_t nencodings;     /* Transfer-Encoding lines */
    bool has_upgrade;        /* an Upgrade field */
    bool says_upgrade;       /* Connection: upgrade */
    bool says_close;         /* Connection: close */
    bool says_keep_alive;    /* Connection: keep-alive */
    bool says_continue;      /* Expect: 100-continue */
    bool says_chunked;       /* the last transfer coding so far is chunked */
    bool has_other_coding;   /* a transfer coding other than chunked */
    bool has_bad_coding;     /* an empty element, not a token, or chunked more than
                                once */
};

static int
on_host(struct findings *found, struct http_field *field)
{
    if (found->host != NULL)
        return ERR_HOST_REPEATED;
    found->host = field;
    return target_is_host(field->value) ? 0 : ERR_HOST_MALFORMED;
}

/* RFC 9112 6.3 allows a recipient to accept equal values, but two lines that agree here
 * may not agree for other programs, so only one is accepted. */
static int
on_content_length(struct http_head *head, struct slice value)
{
    if (head->content_length != HTTP_LENGTH_NONE)
        return ERR_CONTENT_LENGTH_REPEATED;
    return field_to_number(value, &head->content_length) ? 0 : ERR_CONTENT_LENGTH;
}

/* Walks a list of codings here, and not with field_list_next(), because an empty
 * element is rejected: how a proxy interprets ", chunked" is unknown. */
static void
on_transfer_encoding(struct findings *found, struct slice value)
{
    found->nencodings++;
    for (;;) {
        const char *comma = value.len > 0 ? memchr(value.ptr, ',', value.len) : NULL;
        size_t n = comma == NULL ? value.len : (size_t)(comma - value.ptr);
        struct slice coding = slice_trim(slice_first(value, n));
        bool is_chunked = slice_equal_folded(coding, slice_of("chunked"));
        if (found->says_chunked || !is_token(coding))
            found->has_bad_coding = true;
        if (!is_chunked)
            found->has_other_coding = true;
        found->says_chunked = is_chunked;
        if (comma == NULL)
            return;
        value = slice_skip(value, n + 1);
    }
}

static void
on_connection(struct findings *found, struct slice value)
{
    struct slice option;
    while (field_list_next(&value, &option)) {
        if (slice_equal_folded(option, slice_of("close")))
            found->says_close = true;
        else if (slice_equal_folded(option, slice_of("keep-alive")))
            found->says_keep_alive = true;
        else if (slice_equal_folded(option, slice_of("upgrade")))
            found->says_upgrade = true;
    }
}

/* RFC 9110 10.1.1: an expectation in an HTTP/1.0 request is ignored. */
static int
on_expect(const struct http_head *head, struct findings *found, struct slice value)
{
    return head->version == HTTP_1_0 ? 0
                                     : head_read_expect(value, &found->says_continue);
}

static void
on_te(struct http_head *head, struct slice value)
{
    struct slice coding;
    while (field_list_next(&value, &coding)) {
        if (slice_equal_folded(coding, slice_of("trailers")))
            head->te_trailers = true;
    }
}

/* Walks the fields once. */
static int
read_fields(struct http_head *head, struct findings *found)
{
    int err = 0;
    for (uint32_t i = 0; i < head->nfields && err == 0; i++) {
        struct http_field *field = &head->fields[i];
        switch (field->id) {
        case FIELD_HOST:
            err = on_host(found, field);
            break;
        case FIELD_CONTENT_LENGTH:
            err = on_content_length(head, field->value);
            break;
        case FIELD_TRANSFER_ENCODING:
            on_transfer_encoding(found, field->value);
            break;
        case FIELD_CONNECTION:
            on_connection(found, field->value);
            break;
        case FIELD_EXPECT:
            err = on_expect(head, found, field->value);
            break;
        case FIELD_UPGRADE:
            found->has_upgrade = true;
            break;
        case FIELD_TE:
            on_te(head, field->value);
            break;
        default:
            break;
        }
    }
    return err;
}

/* RFC 9112 3.2: a Host field is required in 1.1, whatever the target is; 3.2.2: the
 * authority of the target, if it has one, takes precedence over the Host field. */
static int
h1_framing_conclude_host(const struct http_head *head, const struct findings *found,
                         struct slice authority)
{
    if (found->host == NULL)
        return head->version == HTTP_1_0 ? 0 : ERR_HOST_MISSING;
    if (authority.len > 0)
        found->host->value = authority;
    return 0;
}

/* RFC 9112 6.1 and 6.3; requests that they allow to be rejected are rejected. */
static int
conclude_length(struct http_head *head, const struct findings *found)
{
    if (found->nencodings == 0)
        return 0;
    if (head->version == HTTP_1_0)
        return ERR_ENCODING_IN_1_0;
    if (head->content_length != HTTP_LENGTH_NONE)
        return ERR_LENGTH_AND_ENCODING;
    if (found->has_bad_coding || !found->says_chunked)
        return ERR_TRANSFER_ENCODING;
    if (found->has_other_coding)
        return ERR_TRANSFER_CODING_UNKNOWN;
    head->chunked = true;
    return 0;
}

int
h1_frame_request(struct http_head *head)
{
    struct findings found = {0};
    struct slice authority;

    head->content_length = HTTP_LENGTH_NONE;
    head->chunked = false;
    head->te_trailers = false;
    int err = target_split(head, &authority);
    if (err == 0)
        err = head_check_method(head->method);
    if (err == 0)
        err = read_fields(head, &found);
    if (err == 0)
        err = h1_framing_conclude_host(head, &found, authority);
    if (err == 0)
        err = conclude_length(head, &found);

    bool has_body = head->chunked || (head->content_length != HTTP_LENGTH_NONE &&
                                      head->content_length > 0);
    bool is_1_1 = head->version != HTTP_1_0;
    head->keep_alive = !found.says_close && (is_1_1 || found.says_keep_alive);
    head->expect_continue = found.says_continue && has_body;
    head->upgrade = is_1_1 && found.says_upgrade && found.has_upgrade;
    return err;
}
