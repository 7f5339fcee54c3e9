/* SPDX-License-Identifier: MIT */
/* http3/wt_settings.c — see wt_settings.h for the contract. */
#include "http3/wt_settings.h"

#include <assert.h> /* assert */
#include <string.h> /* memcpy */

#include "http3/varint.h"

#define CONTROL_STREAM 0x00
#define SETTINGS_FRAME 0x04

/* Settings of several drafts: clients differ in what they look for. */
#define SETTING_ENABLE 0x2b603742u       /* there is WebTransport; draft 02 */
#define SETTING_DATAGRAM_DRAFT 0xffd277u /* draft 04 of RFC 9297 */
#define SETTING_SESSIONS 0xc671706au     /* the most sessions; draft 07 */
#define SETTING_SESSIONS_13 0x14e9cd29u  /* the same; draft 13 */

/* Returns how many bytes were written to `out`. */
static size_t
wt_settings_add(char *out, uint32_t sessions)
{
    const struct {
        uint64_t id, value;
    } added[] = {
        {SETTING_ENABLE, 1},
        {SETTING_DATAGRAM_DRAFT, 1},
        {SETTING_SESSIONS, sessions},
        {SETTING_SESSIONS_13, sessions},
    };
    size_t n = 0;

    for (size_t i = 0; i < COUNT(added); i++) {
        n += varint_write(out + n, added[i].id);
        n += varint_write(out + n, added[i].value);
    }
    return n;
}

bool
wt_settings_make(struct wt_settings *s, const struct iovec *iov, int n,
                 uint32_t sessions)
{
    char old[WT_SETTINGS_BYTES], added[8 * VARINT_BYTES];
    size_t nold = 0, nadded = wt_settings_add(added, sessions);
    uint64_t len;

    assert(s->len == 0);
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len > sizeof old - nold)
            return false;
        memcpy(old + nold, iov[i].iov_base, iov[i].iov_len);
        nold += iov[i].iov_len;
    }
    if (nold < 3 || old[0] != CONTROL_STREAM || old[1] != SETTINGS_FRAME)
        return false;
    struct slice rest = slice_new(old + 2, nold - 2);
    if (!varint_take(&rest, &len) || len > rest.len ||
        2 + VARINT_BYTES + rest.len + nadded > sizeof s->bytes)
        return false;
    s->bytes[s->len++] = CONTROL_STREAM;
    s->bytes[s->len++] = SETTINGS_FRAME;
    s->len += varint_write(s->bytes + s->len, len + nadded);
    memcpy(s->bytes + s->len, rest.ptr, len);
    s->len += len;
    memcpy(s->bytes + s->len, added, nadded);
    s->len += nadded;
    memcpy(s->bytes + s->len, rest.ptr + len, rest.len - len);
    s->len += rest.len - len;
    assert(s->len <= sizeof s->bytes);
    return true;
}

bool
wt_settings_next(struct wt_settings *s, int64_t control_id, struct h3_output *out)
{
    if (s->written == s->len || s->is_blocked)
        return false;
    *out = (struct h3_output){.id = control_id, .n = 1};
    out->iov[0].iov_base = s->bytes + s->written;
    out->iov[0].iov_len = s->len - s->written;
    return true;
}

bool
wt_settings_wrote(struct wt_settings *s, size_t n)
{
    if (s->written == s->len)
        return false;
    assert(n <= s->len - s->written);
    s->written += n;
    return true;
}

size_t
wt_settings_acked(struct wt_settings *s, size_t n)
{
    const size_t own = s->len - s->acked < n ? s->len - s->acked : n;

    assert(s->acked + own <= s->written);
    s->acked += own;
    return n - own;
}
