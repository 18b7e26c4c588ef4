/*
 * A schema as text that a ledger keeps: JSON lines, one for each fact.
 *
 *   {"table":NAME,"kind":1,"key":[…],…}          a table, view or query (null); what follows is of
 * it
 *   {"column":NAME,"type":TYPE,"not_null":true,…}
 *   {"index":NAME|null,"columns":[…],…}
 *   {"foreign_key":NAME|null,"columns":[…],"references":TABLE,…}
 *
 *   TYPE  {"kind":"decimal","precision":10,"scale":2,"native":"decimal(10,2)",
 *          "zone":NAME,"element":TYPE,"map_key":TYPE,
 *          "record":NAME,"fields":[{"name":NAME,"type":TYPE}…]}
 *
 * Members that are zero, false, NULL or empty are left out; the tables at the head of kept_schema.c
 * name them all. Kept is what a plan is resolved from and what tells columns apart. Left out are
 * texts that only make an object again (native_sql, comments, checks, properties), figures that
 * change with the data (row counts, sizes, the next number), and all that is no table.
 */
#ifndef TRANSHUME_ENGINE_LEDGER_KEPT_SCHEMA_H
#define TRANSHUME_ENGINE_LEDGER_KEPT_SCHEMA_H

#include "base/buffer.h"
#include "base/error.h"
#include "model/schema.h"
#include <jansson.h>

/* Appends the table's lines. */
void kept_table_append(const struct schema_table *table, struct buffer *out);
/* Appends the lines of all tables, in their order. */
void kept_schema_append(const struct schema *schema, struct buffer *out);

/* A schema that is being read, line by line. */
struct kept_schema_reader;
/* The tables that are read live in the arena. */
struct kept_schema_reader *kept_schema_reader_create(struct arena *arena);
void kept_schema_reader_destroy(struct kept_schema_reader *reader); /* takes NULL */
/* STATUS_END: the line is none of a schema's, and nothing was taken. STATUS_FAILED with
 * ERROR_LEDGER_INVALID: it is damaged; with ERROR_BAD_VALUE: its time zone is not known here. */
enum status kept_schema_reader_take(struct kept_schema_reader *reader, const json_t *line,
                                    struct error *error) MUST_USE;
/* The tables so far, as a schema with the reader's arena; the next line begins another one. */
struct schema *kept_schema_reader_end(struct kept_schema_reader *reader);

#endif
