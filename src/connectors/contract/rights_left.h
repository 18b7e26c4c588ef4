/* The work that is left to do about rights, once a same-engine copy is made: who may less than in
 * the source, and who may more. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_RIGHTS_LEFT_H
#define TRANSHUME_CONNECTORS_CONTRACT_RIGHTS_LEFT_H

#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

struct right_left {
    bool opens;            /* somebody may more than in the source, until the statement is run */
    const char *kind;      /* "grant", "owner", "policy" … */
    const char *object;    /* "orders" */
    const char *text;      /* what is otherwise than in the source, and why */
    const char *statement; /* that puts it right, without a delimiter behind it; NULL: none does */
};

/* In the order in which the statements are to be run. All of it lives in the arena. */
struct rights_left {
    struct arena *arena;
    struct right_left *items;
    uint32_t count;
    uint32_t capacity;
};

/* Copies the texts. */
void rights_left_add(struct rights_left *left, const struct right_left *item);
/* Does one of them open something? */
bool rights_left_open(const struct rights_left *left);

#endif
