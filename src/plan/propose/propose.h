/* The base of the parts of `transhume init`: the schema seen as owners and owned, and YAML written
 * safely. */
#ifndef TRANSHUME_PLAN_PROPOSE_PROPOSE_H
#define TRANSHUME_PLAN_PROPOSE_PROPOSE_H

#include "base/buffer.h"
#include "plan/plan.h"

/* How one source table is proposed to arrive. */
enum propose_place {
    PROPOSE_ROOT,     /* items under a partition of their own */
    PROPOSE_MEMBER,   /* items under the partition of the table that owns it */
    PROPOSE_EMBEDDED, /* a list inside the items of the table that owns it */
    PROPOSE_KEYLESS   /* no key: it can't be put, and the plan says so */
};

struct propose_table {
    const struct schema_table *table;
    enum propose_place place;
    const struct schema_foreign_key *owner_key; /* to the owner; NULL for roots */
    uint32_t owner;                             /* index of the owner among the tables */
    bool paged;         /* EMBEDDED: lists may be long, so they are cut into pages */
    bool guessed;       /* the primary key is a guess: the source declares none */
    const char *prefix; /* "INVOICE_LINE" */
};

struct proposal {
    struct arena *arena;
    struct propose_table *tables;
    uint32_t count;
    bool documents;        /* the source's records have no fixed fields */
    bool joins;            /* the source can look rows up along its foreign keys */
    const char *partition; /* names of the key fields, none of them a source column */
    const char *sort;
    struct buffer *out;
};

/* Decides places, owners and prefixes of the tables that the settings select. `keys_wanted`: the
 * target puts records by key, so a table of a source that declares none gets a guessed one. */
void propose_decide(struct proposal *proposal, const struct schema *schema,
                    const struct plan_settings *settings, bool keys_wanted);

/* The tables of a plan for key-value and document stores. */
void propose_write_documents(struct proposal *proposal, const struct connector *target);
/* The tables of a plan for databases with CAPABILITY_CLUSTERS. */
void propose_write_clusters(struct proposal *proposal);
/* The same of a source of documents, by a sample of its records: a table a kind. */
enum status propose_write_kinds(struct proposal *proposal, struct database *source,
                                struct error *error) MUST_USE;
/* One table of a source of documents of which nothing but the key is known. */
void propose_write_unknown(struct proposal *proposal, const struct schema_table *table);

/* A scalar as YAML: plain where that is safe, else in double quotes. Never a tag, anchor, number or
 * bool. */
void propose_append_scalar(struct buffer *out, const char *text);
/* The same, always in double quotes. */
void propose_append_quoted(struct buffer *out, const char *text);
/* A text from the source inside a comment: one line, nothing that ends it. */
void propose_append_comment(struct buffer *out, const char *text);

#endif
