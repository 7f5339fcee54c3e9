/* SPDX-License-Identifier: MIT */
/* tests/c/test_handler.c — the chain of handlers: which are called, in which order,
 * and what happens to a request whose handler decides later. */
#include "http/handler.c"

#include "aborts.h"
#include "tap.h"

/* What has happened, as text. */
static char heard[256];

static void
hear(const char *word, const char *more)
{
    size_t n = strlen(heard);

    snprintf(heard + n, sizeof heard - n, "%s%s;", word, more);
}

static int result; /* what handlers return from on_request */

static int
on_request(struct stream *s, const struct http_head *head)
{
    char path[32];

    snprintf(path, sizeof path, ":%.*s", (int)head->path.len, head->path.ptr);
    hear(s->handler_arg, path);
    return result;
}

static void
on_close(struct stream *s, int why)
{
    (void)why;
    hear(s->handler_arg, " closed");
}

static const struct stream_handler some_handler = {
    .on_request = on_request,
    .on_close = on_close,
};

static void
fail(struct stream *s, int why)
{
    (void)why;
    hear("fail", "");
    stream_end(s);
}

static const struct stream_ops protocol = {.fail = fail};

/* A link that does what the test says. */
struct answer {
    struct handler handler;
    const char *name;
    enum handler_verdict verdict;
    bool is_exempt;
};

static struct answer *
answer_of(struct handler *handler)
{
    return container_of(handler, struct answer, handler);
}

static void
take(struct stream *s, const char *name)
{
    s->handler = &some_handler;
    s->handler_arg = (void *)name;
}

static enum handler_verdict
offer(struct handler *handler, struct stream *s, const struct http_head *head)
{
    struct answer *answer = answer_of(handler);

    (void)head;
    hear("ask ", answer->name);
    if (answer->verdict == HANDLER_TAKEN || answer->verdict == HANDLER_SERVED)
        take(s, answer->name);
    if (answer->verdict == HANDLER_PENDING)
        s->app = answer;
    return answer->verdict;
}

static void
cancel(struct handler *handler, struct stream *s, void *job)
{
    struct answer *answer = answer_of(handler);

    ok(job == answer && s->app == NULL, "the job is given back");
    hear("cancel ", answer->name);
}

static bool
is_exempt(const struct handler *handler, const struct peer *peer,
          const struct http_head *head)
{
    (void)peer;
    (void)head;
    return container_of(handler, struct answer, handler)->is_exempt;
}

static struct answer
new_answer(const char *name, enum handler_verdict verdict)
{
    return (struct answer){
        .handler = {.offer = offer, .cancel = cancel, .is_exempt = is_exempt},
        .name = name,
        .verdict = verdict,
    };
}

/* Creates a request for /a, as accounting_begin and a protocol do. */
static void
begin(struct chain *chain, struct stream *s)
{
    char path[] = "/a";
    struct http_head head = {.path = slice_of(path)};

    *s = (struct stream){
        .ops = &protocol, .handler = &some_handler, .handler_arg = "app"};
    chain_begin(chain, s, &head);
    if (s->handler->on_request(s, &head) != 0)
        stream_fail(s, ERR_NOMEM);
    memset(path, 'x', sizeof path); /* it was borrowed */
}

static void
setup(struct chain *chain, struct answer *a, struct answer *b)
{
    *chain = (struct chain){0};
    heard[0] = '\0';
    result = 0;
    ok(!chain->is_active, "nothing is registered");
    chain_add(chain, &b->handler);
    chain_add_first(chain, &a->handler);
    ok(chain->is_active && chain_has(chain, &a->handler), "now something is");
}

static void
test_links_are_called_in_order_until_one_accepts(void)
{
    static const struct {
        enum handler_verdict a, b;
        const char *heard;
    } cases[] = {
        {HANDLER_DECLINED, HANDLER_DECLINED, "ask a;ask b;app:/a;"},
        {HANDLER_DECLINED, HANDLER_TAKEN, "ask a;ask b;b:/a;"},
        {HANDLER_TAKEN, HANDLER_TAKEN, "ask a;a:/a;"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer a = new_answer("a", cases[i].a), b = new_answer("b", cases[i].b);
        struct chain chain;
        struct stream s;
        setup(&chain, &a, &b);
        begin(&chain, &s);
        is_text(heard, cases[i].heard, "case %zu", i);
        chain_fini(&chain);
        ok(!chain.is_active, "nothing is left");
    }
}

static void
test_a_link_may_decide_later(void)
{
    static const struct {
        enum handler_verdict a, b; /* b is asked when a declines */
        const char *heard;
    } cases[] = {
        {HANDLER_TAKEN, HANDLER_DECLINED, "ask a;a:/a;"},
        {HANDLER_DECLINED, HANDLER_DECLINED, "ask a;ask b;app:/a;"},
        {HANDLER_DECLINED, HANDLER_TAKEN, "ask a;ask b;b:/a;"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer a = new_answer("a", HANDLER_PENDING),
                      b = new_answer("b", cases[i].b);
        struct chain chain;
        struct stream s;
        setup(&chain, &a, &b);
        begin(&chain, &s);
        is_text(heard, "ask a;", "case %zu: the others wait", i);
        ok(handler_is_pending(&s), "its verdict is owed");
        if (cases[i].a == HANDLER_TAKEN)
            take(&s, "a");
        handler_decide(&s, cases[i].a);
        is_text(heard, cases[i].heard, "case %zu: the request goes where it belongs",
                i);
        ok(!handler_is_pending(&s) && s.app == NULL, "nothing is owed");
    }
}

static unsigned nattached;

static int
count_attaching(struct filter *filter, struct stream *s, const struct http_head *head,
                struct filtered **out)
{
    (void)filter;
    (void)s;
    (void)head;
    (void)out;
    nattached++;
    return 0;
}

static void
test_a_response_that_has_passed_the_filters_does_not_pass_them_again(void)
{
    for (unsigned later = 0; later < 2; later++) {
        struct answer a = new_answer("a", later ? HANDLER_PENDING : HANDLER_SERVED),
                      b = new_answer("b", HANDLER_DECLINED);
        struct filter filter = {.attach = count_attaching};
        struct chain chain;
        struct stream s;
        setup(&chain, &a, &b);
        is(chain_add_filter(&chain, &filter), 0, "a filter");
        nattached = 0;
        begin(&chain, &s);
        if (later) {
            take(&s, "a");
            handler_decide(&s, HANDLER_SERVED);
        }
        is_text(heard, "ask a;a:/a;", "the link serves it");
        is(nattached, 0, "no filter attaches");
        chain_fini(&chain);
    }
}

static void
test_what_proxies_report_lasts_until_the_verdict(void)
{
    struct answer a = new_answer("a", HANDLER_PENDING),
                  b = new_answer("b", HANDLER_DECLINED);
    char host[] = "example.com", prefix[] = "/api", path[] = "/a";
    struct forwarded forwarded = {
        .host = slice_of(host), .has_prefix = true, .prefix = slice_of(prefix)};
    struct http_head head = {.path = slice_of(path), .forwarded = &forwarded};
    struct stream s = {
        .ops = &protocol, .handler = &some_handler, .handler_arg = "app"};
    struct chain chain;

    setup(&chain, &a, &b);
    mem_fail_at(1);
    chain_begin(&chain, &s, &head);
    mem_fail_at(0);
    is_text(heard, "ask a;cancel a;", "without memory the request fails");
    ok(!handler_is_pending(&s) && forwarded.host.ptr == host, "nothing is kept");
    s.handler = &some_handler;
    chain_begin(&chain, &s, &head);
    memset(host, 'x', sizeof host); /* they were borrowed */
    memset(prefix, 'x', sizeof prefix);
    ok(slice_equal(handler_head(&s)->path, slice_of("/a")), "the head is kept");
    ok(slice_equal(forwarded.host, slice_of("example.com")) &&
           slice_equal(forwarded.prefix, slice_of("/api")),
       "and what proxies report");
    handler_decide(&s, HANDLER_DECLINED);
}

static void
test_both_may_decide_later(void)
{
    struct answer a = new_answer("a", HANDLER_PENDING),
                  b = new_answer("b", HANDLER_PENDING);
    struct chain chain;
    struct stream s;

    setup(&chain, &a, &b);
    begin(&chain, &s);
    handler_decide(&s, HANDLER_DECLINED);
    is_text(heard, "ask a;ask b;", "the second waits too");
    ok(handler_is_pending(&s), "its verdict is owed");
    handler_decide(&s, HANDLER_DECLINED);
    is_text(heard, "ask a;ask b;app:/a;", "the application has it");
    s.state = STREAM_ENDED;
    stream_close(&s, 0);
    is_text(heard, "ask a;ask b;app:/a;app closed;", "and its end");
}

static void
test_the_end_of_the_exchange_cancels(void)
{
    struct answer a = new_answer("a", HANDLER_PENDING),
                  b = new_answer("b", HANDLER_DECLINED);
    struct chain chain;
    struct stream s;

    setup(&chain, &a, &b);
    begin(&chain, &s);
    stream_close(&s, ERR_RESET);
    is_text(heard, "ask a;cancel a;", "no other handler is notified");
    ok(s.app == NULL, "nothing is left");
}

static void
test_a_handler_that_fails_later_is_an_error(void)
{
    struct answer a = new_answer("a", HANDLER_PENDING),
                  b = new_answer("b", HANDLER_DECLINED);
    struct chain chain;
    struct stream s;

    setup(&chain, &a, &b);
    begin(&chain, &s);
    result = ERR_NOMEM;
    handler_decide(&s, HANDLER_DECLINED);
    is_text(heard, "ask a;ask b;app:/a;fail;", "the request gets an error response");
}

static void
test_each_allocation_may_fail(void)
{
    for (unsigned long n = 1; n <= 2; n++) {
        struct answer a = new_answer("a", HANDLER_PENDING),
                      b = new_answer("b", HANDLER_DECLINED);
        struct chain chain;
        struct stream s;
        setup(&chain, &a, &b);
        mem_fail_at(n);
        begin(&chain, &s);
        mem_fail_at(0);
        is_text(heard, "ask a;cancel a;fail;", "allocation %lu", n);
        stream_close(&s, 0);
    }
}

static int
attach_without_memory(struct filter *filter, struct stream *s,
                      const struct http_head *head, struct filtered **out)
{
    (void)filter;
    (void)s;
    (void)head;
    (void)out;
    return ERR_NOMEM;
}

static void
test_a_filter_that_finds_no_memory_fails_the_request(void)
{
    for (unsigned later = 0; later < 2; later++) {
        struct answer a = new_answer("a", later ? HANDLER_PENDING : HANDLER_TAKEN),
                      b = new_answer("b", HANDLER_DECLINED);
        struct filter filter = {.attach = attach_without_memory};
        struct chain chain;
        struct stream s;
        setup(&chain, &a, &b);
        is(chain_add_filter(&chain, &filter), 0, "a filter");
        begin(&chain, &s);
        if (later) {
            take(&s, "a");
            handler_decide(&s, HANDLER_TAKEN);
        }
        is_text(heard, "ask a;fail;", "the link does not serve it");
        stream_close(&s, 0);
        is_text(heard, "ask a;fail;", "and does not learn its end");
        chain_fini(&chain);
    }
}

static void
test_a_link_may_be_exempt(void)
{
    struct answer a = new_answer("a", HANDLER_DECLINED),
                  b = new_answer("b", HANDLER_DECLINED);
    struct chain chain;
    struct http_head head = {0};
    struct peer peer = {0};

    setup(&chain, &a, &b);
    ok(!chain_is_exempt(&chain, &peer, &head), "none is");
    b.is_exempt = true;
    ok(chain_is_exempt(&chain, &peer, &head), "one is");
    b.handler.is_exempt = NULL;
    ok(!chain_is_exempt(&chain, &peer, &head), "one that is never");
}

static void
decide_twice(void *arg)
{
    handler_decide(arg, HANDLER_DECLINED);
}

static void
pend_a_verdict(void *arg)
{
    handler_decide(arg, HANDLER_PENDING);
}

static void
add_again(void *arg)
{
    struct chain *chain = arg;

    chain_add(chain, chain->first);
}

static void
test_contracts(void)
{
    struct answer a = new_answer("a", HANDLER_PENDING),
                  b = new_answer("b", HANDLER_DECLINED);
    struct chain chain;
    struct stream s;

    setup(&chain, &a, &b);
    ok(aborts(add_again, &chain), "a link is registered once");
    begin(&chain, &s);
    ok(aborts(pend_a_verdict, &s), "a verdict is final");
    handler_decide(&s, HANDLER_DECLINED);
    ok(aborts(decide_twice, &s), "and comes once");
}

int
main(void)
{
    test_links_are_called_in_order_until_one_accepts();
    test_a_link_may_decide_later();
    test_both_may_decide_later();
    test_a_response_that_has_passed_the_filters_does_not_pass_them_again();
    test_what_proxies_report_lasts_until_the_verdict();
    test_the_end_of_the_exchange_cancels();
    test_a_handler_that_fails_later_is_an_error();
    test_each_allocation_may_fail();
    test_a_filter_that_finds_no_memory_fails_the_request();
    test_a_link_may_be_exempt();
    test_contracts();
    return tap_done();
}
