/* The objects that a run makes in its target besides records, as statements that nobody has run
 * yet. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_SCRIPT_H
#define TRANSHUME_CONNECTORS_CONTRACT_SCRIPT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "model/schema.h"
#include <stdbool.h>
#include <stdint.h>

struct target_table; /* connectors/contract/target.h */

enum script_moment { SCRIPT_BEFORE_LOAD, SCRIPT_AFTER_LOAD };

struct script_statement {
    enum script_moment moment;
    const char *what; /* that it makes: "table", "index", "foreign key", "view" */
    const char *name; /* of the object */
    /* SQL or CQL without a delimiter behind it; of a web service the name of the request, a space
     * and its JSON */
    const char *text;
};

/* Statements in the order in which a run sends them. All of it lives in the arena. */
struct script {
    struct arena *arena;
    struct script_statement *statements;
    uint32_t count;
    uint32_t capacity;
};

struct script_request {
    const struct target_table *tables;
    uint32_t table_count;
    const bool *missing;          /* a table each: it is to be made */
    const struct schema *objects; /* of a same-engine plain copy; else NULL */
    const struct schema *there;   /* tables of the target; NULL: as if it held nothing at all */
    const bool *unfit; /* an object each: the target can't have it; NULL: it can have them all */
    /* That the statements are to name in place of the target's own database, where a connection
     * reaches several (MySQL); NULL: its own. Borrowed. */
    const char *place;
};

/* Copies the texts; `text` is emptied. */
void script_add(struct script *script, enum script_moment moment, const char *what,
                const char *name, struct buffer *text);
/* Is the object of a same-engine copy to be made, along with its table or alone, unless the target
 * has one of its name? */
bool script_wants_object(const struct script_request *request, uint32_t number);

#endif
