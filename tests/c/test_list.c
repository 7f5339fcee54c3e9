/* SPDX-License-Identifier: MIT */
/* tests/c/test_list.c — a list keeps its order, and a node may be removed twice. */
#include "base/list.h"

#include "random.h"
#include "tap.h"

#define NNODES 20u

struct item {
    struct list_node link;
    char name;
};

static void
items_init(struct item *items)
{
    for (unsigned i = 0; i < NNODES; i++) {
        items[i].name = (char)('a' + i);
        list_init(&items[i].link);
    }
}

/* Returns the names in `list`, in order; "broken" if the ring is inconsistent. */
static const char *
names(const struct list_node *list, char out[NNODES + 1])
{
    size_t n = 0;

    for (struct list_node *node = list->next; node != list; node = node->next) {
        if (n == NNODES || node->next->prev != node || node->prev->next != node)
            return "broken";
        out[n++] = container_of(node, struct item, link)->name;
    }
    out[n] = '\0';
    return list->prev->next == list && list->next->prev == list ? out : "broken";
}

static void
test_nodes_are_in_the_order_they_were_appended(void)
{
    struct item items[NNODES];
    struct list_node list;
    char text[NNODES + 1];

    items_init(items);
    list_init(&list);
    ok(list_is_empty(&list), "a new list is empty");
    ok(list_take_first(&list) == NULL, "and has no first node");
    for (int i = 0; i < 4; i++)
        list_append(&list, &items[i].link);
    is_text(names(&list, text), "abcd", "appended");
    ok(list_take_first(&list) == &items[0].link, "the first is taken");
    ok(list_is_empty(&items[0].link), "and is in no list");
    list_append(&list, &items[0].link);
    is_text(names(&list, text), "bcda", "after appending it again it is the last");
}

static void
test_a_node_may_be_removed_twice(void)
{
    struct item items[NNODES];
    struct list_node list;
    char text[NNODES + 1];

    items_init(items);
    list_init(&list);
    for (int i = 0; i < 3; i++)
        list_append(&list, &items[i].link);
    list_remove(&items[1].link);
    is_text(names(&list, text), "ac", "taken out of the middle");
    list_remove(&items[1].link);
    is_text(names(&list, text), "ac", "and once more");
    list_remove(&items[0].link);
    list_remove(&items[2].link);
    ok(list_is_empty(&list), "nothing is left");
}

static void
test_a_list_moves_to_the_end_of_another(void)
{
    static const struct {
        int to, from; /* how many nodes */
        const char *after;
    } rows[] = {
        {0, 0, ""}, {0, 1, "a"}, {1, 0, "a"}, {1, 1, "ab"}, {3, 2, "abcde"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct item items[NNODES];
        struct list_node to, from;
        char text[NNODES + 1];
        items_init(items);
        list_init(&to);
        list_init(&from);
        for (int k = 0; k < rows[i].to + rows[i].from; k++)
            list_append(k < rows[i].to ? &to : &from, &items[k].link);
        list_move_all(&to, &from);
        is_text(names(&to, text), rows[i].after, "%d and %d", rows[i].to, rows[i].from);
        ok(list_is_empty(&from), "the other is empty");
    }
}

/* Random moves between two lists, compared with two strings. */
static void
test_two_lists_agree_with_two_strings(void)
{
    struct item items[NNODES];
    struct list_node lists[2];
    char models[2][NNODES + 1] = {"", ""}, text[NNODES + 1];
    uint64_t seed = 7;
    bool good = true;

    items_init(items);
    list_init(&lists[0]);
    list_init(&lists[1]);
    for (int i = 0; good && i < 5000; i++) {
        size_t k = random_below(&seed, NNODES), to = random_below(&seed, 2);
        for (int m = 0; m < 2; m++) {
            char *at = strchr(models[m], items[k].name);
            if (at != NULL)
                memmove(at, at + 1, strlen(at));
        }
        list_remove(&items[k].link);
        if (random_below(&seed, 4) > 0) {
            list_append(&lists[to], &items[k].link);
            strncat(models[to], &items[k].name, 1);
        } else if (random_below(&seed, 8) == 0) {
            list_move_all(&lists[to], &lists[!to]);
            snprintf(text, sizeof text, "%s%s", models[to], models[!to]);
            memcpy(models[to], text, sizeof text);
            models[!to][0] = '\0';
        }
        for (int m = 0; m < 2; m++)
            good = good && strcmp(names(&lists[m], text), models[m]) == 0;
    }
    ok(good, "after every step");
}

int
main(void)
{
    test_nodes_are_in_the_order_they_were_appended();
    test_a_node_may_be_removed_twice();
    test_a_list_moves_to_the_end_of_another();
    test_two_lists_agree_with_two_strings();
    return tap_done();
}
