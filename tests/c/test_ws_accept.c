/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_accept.c — which keys are valid, and the responses to them. */
#include "ws/accept.c"

#include "base/compiler.h" /* COUNT */
#include "tap.h"

static void
test_keys(void)
{
    static const struct {
        const char *key;
        bool is_valid;
    } keys[] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", true},   {"////////////////++++++==", true},
        {"dGhlIHNhbXBsZQ==", false},          {"dGhlIHNhbXBsZSBub25jZQ=", false},
        {"dGhlIHNhbXBsZSBub25jZQAA", false},  {"dGhlIHNhbXBsZSBub25jZ===", false},
        {"dGhlIHNhbXBs SBub25jZQ==", false},  {"dGhlIHNhbXBsZSBub25j=Q==", false},
        {"    dGhlIHNhbXBsZSBub25j", false},  {" dGhlIHNhbXBsZSBub25jZQ=", false},
        {"dGhlIHNhbXBs\nSBub25jZQ==", false}, {"dGhlIHNhbXBs_SBub25jZQ==", false},
        {"dGhlIHNhbXBsZSBub25jZQ== ", false}, {"", false},
    };
    for (size_t i = 0; i < COUNT(keys); i++)
        is(ws_key_is_valid(slice_of(keys[i].key)), keys[i].is_valid, "the key \"%s\"",
           keys[i].key);
    ok(!ws_key_is_valid(slice_new("dGhlIHNhbXBs\0SBub25jZQ==", 24)), "a NUL in a key");
}

/* The others were computed with sha1sum and base64. */
static void
test_responses(void)
{
    static const struct {
        const char *key, *accept;
    } answers[] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
        {"AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="},
        {"/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g="},
    };

    for (size_t i = 0; i < COUNT(answers); i++) {
        char accept[WS_ACCEPT_BYTES + 1] = {0};
        is(ws_accept_key(slice_of(answers[i].key), accept), 0, "key %zu", i);
        is_text(accept, answers[i].accept, "its response");
    }
}

int
main(void)
{
    test_keys();
    test_responses();
    return tap_done();
}
