/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_ws.c — any bytes as the input of a WebSocket. However they are
 * split, the messages, replies and the end are the same, with compression and without.
 */
#include <stdint.h> /* uint8_t */
#include <string.h> /* strcmp */

#include "../c/ws_talk.h"
#include "check.h"

/* Small, so that a short input can exceed each one. */
static struct ws_config
small_config(void)
{
    struct ws_config config = WS_CONFIG_DEFAULT;

    config.message_bytes = 300;
    config.frame_bytes = 250;
    config.fragments = 4;
    config.controls = 6;
    config.deflate.threshold_bytes = 8;
    return config;
}

/* Feeds `in`, whose first `first` bytes come first and the rest by `step`, with
 * budgets of `budget` points, and ends. */
static struct talk *
talk_cut(struct slice in, const struct ws_deflate_params *params, size_t first,
         size_t step, int64_t budget)
{
    const struct ws_config config = small_config();
    struct talk *talk = talk_new(&config, params);

    talk->echoes = true;
    talk->budget = talk->left = budget;
    while (in.len > 0 && talk->ws.state != WS_ENDED) {
        size_t n = first < in.len ? first : in.len;
        talk_feed(talk, slice_first(in, n));
        in = slice_skip(in, n);
        first = step;
    }
    ws_on_eof(&talk->ws);
    CHECK(talk->nclosed == 1);
    return talk;
}

static void
check_cuts(struct slice in, const struct ws_deflate_params *params)
{
    static const size_t steps[] = {1, 7};
    struct talk *whole = talk_cut(in, params, in.len, 1, 0);

    for (size_t i = 0; i <= COUNT(steps) + 1; i++) {
        struct talk *cut = i < COUNT(steps)
                               ? talk_cut(in, params, steps[i], steps[i], i > 0 ? 1 : 0)
                               : talk_cut(in, params, in.len / 2 + 1, in.len,
                                          i > COUNT(steps) ? 1 : 0);
        CHECK(strcmp(whole->text, cut->text) == 0);
        talk_free(cut);
    }
    talk_free(whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ws_deflate_params agreed = {
        .is_on = true,
        .client_takeover = true,
        .server_bits = 9,
        .client_bits = 15,
    };
    static const struct ws_deflate_params none = {0};
    struct slice in = slice_new((const char *)data, size);

    check_cuts(in, &none);
    check_cuts(in, &agreed);
    return 0;
}
