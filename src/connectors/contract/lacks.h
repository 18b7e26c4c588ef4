/* A list of all that is missing before something can be done, not only the first. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_LACKS_H
#define TRANSHUME_CONNECTORS_CONTRACT_LACKS_H

#include "base/arena.h"
#include "base/error.h"

/* One of them; texts in the list's arena. */
struct lack {
    enum error_code code;
    int exit_status;
    const char *object; /* empty: none */
    const char *text;   /* "object: what is wrong" */
    const char *remedy; /* a statement, or what else helps; NULL: nothing is known to */
};

struct lack_list {
    struct arena *arena;
    struct lack *items;
    uint32_t count;
    uint32_t capacity;
};

void lacks_add_lack(struct lack_list *lacks, const struct lack *lack);
void lacks_add(struct lack_list *lacks, const struct error *error);
/*
 * After a question whose answer may be a refusal: notes that one, and says STATUS_OK for the next
 * question to be asked. STATUS_FAILED: nobody has answered (a server is away, memory), or `lacks`
 * is NULL, for who stops at the first.
 */
enum status lacks_take(struct lack_list *lacks, enum status status, struct error *error) MUST_USE;

#endif
