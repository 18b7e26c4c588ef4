/* Declarations that the advisor's files share. */
#ifndef TRANSHUME_DESIGN_ADVISOR_ADVISOR_PARTS_H
#define TRANSHUME_DESIGN_ADVISOR_ADVISOR_PARTS_H

#include "design/advisor/advisor.h"
#include "net/http.h"
#include <jansson.h>

/* ---------------------------------------------------------------- requests */

/* Options of a request beside its texts. Servers that refuse one get the request without it. */
struct advisor_form {
    bool is_json;     /* an answer as JSON is asked for */
    bool schema;      /* and of which form it is to be */
    bool temperature; /* 0, and a seed */
};

/* "https://host/v1beta/models/gemini-2.5-flash:generateContent" */
const char *advisor_url(const struct advisor_options *options, struct arena *arena);
void advisor_append_body(const struct advisor_options *options, const char *instruction,
                         const char *prompt, struct advisor_form form, struct buffer *out);
/* The schema of the tables, as that API wants it; the caller's. */
json_t *advisor_schema(enum advisor_api api);

/* ---------------------------------------------------------------- answers */

enum advisor_verdict {
    ADVISOR_TEXT,
    ADVISOR_NO_TEXT, /* blocked, cut off or empty: another prompt may fare better */
    ADVISOR_AGAIN,   /* the same later */
    ADVISOR_REFORM,  /* the request is refused as it is */
    ADVISOR_STOP     /* nothing will succeed */
};

struct advisor_answer {
    enum advisor_verdict verdict;
    const char *text; /* in the arena */
    size_t length;
    bool temperature_refused;
    int64_t retry_after_ms; /* what the server asks for; 0: nothing */
    struct error error;     /* unless ADVISOR_TEXT */
};

void advisor_answer_read(const struct advisor_options *options,
                         const struct http_response *response, struct arena *arena,
                         struct advisor_answer *answer);

/* How long to wait before try `tries` + 1: 10, 20, 30, 40, 50 s, or what the server asks for where
 * that is longer; 0: give up. */
int64_t advisor_wait_ms(uint32_t tries, int64_t retry_after_ms);

/* ---------------------------------------------------------------- texts */

/* Appends text from elsewhere, as UTF-8 without control characters, at most `bytes_max` bytes. */
void advisor_append_clean(struct buffer *out, const char *text, size_t bytes_max);

/* ---------------------------------------------------------------- names in replies */

/* Shortest ways from one entity to all others over relations. */
struct advisor_ways {
    const struct graph *graph;
    struct arena *arena;
    uint32_t *first;   /* by entity: its first relation */
    uint32_t *next;    /* by relation: the next of the same entity */
    uint32_t root;     /* GRAPH_NONE: none yet */
    uint32_t *hops;    /* by entity; GRAPH_NONE: no way */
    uint32_t *arrival; /* by entity: the last relation */
    bool *ambiguous;   /* by entity: several ways of that length */
    uint32_t *queue;
};

void advisor_ways_init(struct advisor_ways *ways, const struct graph *graph, struct arena *arena);
void advisor_ways_from(struct advisor_ways *ways, uint32_t root);

/* A column as the model names it. */
struct advisor_name {
    const char *text;
    uint32_t entity; /* GRAPH_NONE: none, or a column without its table */
    uint32_t field;  /* GRAPH_NONE: none */
    bool has_path;   /* it begins with referring columns */
    bool descending;
    const char *why; /* it is nothing; NULL: it is something, or depends on the root */
};

void advisor_name_read(const struct graph *graph, const char *text, struct arena *arena,
                       struct advisor_name *name);
/* The column that the name is as seen from the ways' root; NULL, or why there is none. */
const char *advisor_name_find(const struct advisor_ways *ways, const struct advisor_name *name,
                              struct advisor_column *column);
/* NULL, or why a column of that field is no key. */
const char *advisor_key_fault(const struct graph_field *field, bool in_partition);
/* Is what the model calls the type ("uuid", "text") another one than the field has? */
bool advisor_type_differs(const struct graph_field *field, const char *type);
/* "integer", "text" … */
const char *advisor_type_word(const struct graph_field *field);

#endif
