/* The plan file as written: read, checked for form, every value with its line and column. */
#ifndef TRANSHUME_PLAN_TEXT_DOCUMENT_H
#define TRANSHUME_PLAN_TEXT_DOCUMENT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/schema.h"
#include <stdbool.h>
#include <stdint.h>

/* YAML or JSON as a tree; scalars keep their text and whether they were quoted. */
enum plan_node_kind { PLAN_NODE_SCALAR, PLAN_NODE_MAP, PLAN_NODE_LIST };
struct plan_node {
    enum plan_node_kind kind;
    uint32_t line; /* 1-based */
    uint32_t column;
    const char *text;    /* SCALAR */
    const char *written; /* the text before ${NAME} in it was replaced; NULL: it had none */
    uint32_t length;
    bool quoted;
    const struct plan_node *const *keys;  /* MAP: count keys and values */
    const struct plan_node *const *items; /* MAP values, LIST items */
    uint32_t count;
};

/* Form-checked document; the typed parts are plan/'s own business (document_parts.h). */
struct plan_document;

/*
 * Reads a plan. All faults of form are collected: one line each in `faults` ("transhume.yaml:12:5:
 * …"). Where nothing is wrong but keys that nobody knows, `*document` is there in spite of the
 * failure, for what else is wrong with it; run_close and the like destroy it. Limits: 4 MiB of
 * text, 64 levels, no anchors, no aliases, no tags, one document.
 */
enum status plan_document_read(const char *path, struct plan_document **document,
                               struct buffer *faults, struct error *error) MUST_USE;
enum status plan_document_parse(const char *text, size_t length, const char *name,
                                struct plan_document **document, struct buffer *faults,
                                struct error *error) MUST_USE;
void plan_document_destroy(struct plan_document *document);

/* Texts that are needed before the databases are open. NULL where the plan does not say. */
const char *plan_document_source(const struct plan_document *document);
const char *plan_document_target(const struct plan_document *document);
const char *plan_document_path(const struct plan_document *document);
/* Does it say which tables are made, of which records? NULL: a plain copy, which does not. */
bool plan_document_has_tables(const struct plan_document *document);
/* Is it the name of one of its tables, whatever the case? */
bool plan_document_names_table(const struct plan_document *document, const char *name);
/* The whole text as read: kept in the state folder and the ledger. */
const char *plan_document_text(const struct plan_document *document, size_t *length);
/* Options that a plan may give ("jobs", "max_rejects", "chunk_rows", "memory" …) under `options:`;
 * NULL if not there, or if there is no document (NULL). */
const char *plan_document_option(const struct plan_document *document, const char *name);
/* A list of texts that stands at its top; empty where the plan does not say. */
struct column_list plan_document_list(const struct plan_document *document, const char *name,
                                      struct arena *arena);
/* Where it stands: "FILE:LINE:COLUMN" in `place`, which is given back. */
const char *plan_document_option_place(const struct plan_document *document, const char *name,
                                       char *place, size_t capacity);

#endif
