/* SPDX-License-Identifier: MIT */
/* base/list.h — an intrusive doubly linked ring. A node that is in no list points to
 * itself, so removing it twice is harmless. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* container_of */

struct list_node {
    struct list_node *next, *prev; /* never NULL once initialised */
};

/* Initializes `node` as an empty list, or as a node that is in no list. */
static inline void
list_init(struct list_node *node)
{
    node->next = node->prev = node;
}

static inline bool
list_is_empty(const struct list_node *list)
{
    return list->next == list;
}

/* Appends `node`, which is in no list, to the end of `list`. */
static inline void
list_append(struct list_node *list, struct list_node *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

/* Removes `node` from its list, if it is in one. */
static inline void
list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Removes and returns the first node; NULL if `list` is empty. */
static inline struct list_node *
list_take_first(struct list_node *list)
{
    struct list_node *node = list->next;
    if (node == list)
        return NULL;
    list_remove(node);
    return node;
}

/* Moves all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void
list_move_all(struct list_node *to, struct list_node *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
