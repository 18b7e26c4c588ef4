/* The normal form of values in columns that are there: what the writers of SQL databases make of
 * them for a type, with as much told apart as the type keeps. */
#ifndef TRANSHUME_CONNECTORS_SQL_NORMAL_COLUMN_H
#define TRANSHUME_CONNECTORS_SQL_NORMAL_COLUMN_H

#include "connectors/sql/normal.h"

/* In a column of texts: 1 and 1.0 are two. `padded`: blanks at the end are none. FAILED with a
 * REJECT code where a value has no text. Texts live in `arena`. Any thread, as the next. */
enum status sql_text_in_column(const struct sql_rules *rules, const struct cell *cell, bool padded,
                               struct arena *arena, struct cell *normal,
                               struct error *error) MUST_USE;
/* Makes of a text what a column of addresses shows: small letters, zeros left out, and no mask of a
 * single address. What is no address stays as it is. */
enum status sql_address_in_column(struct cell *text, struct arena *arena,
                                  struct error *error) MUST_USE;
/* What is told apart in a column of JSON: what jsonb does, keys that are there again as well, or
 * also the blanks between the parts and their order. */
enum sql_json_told { SQL_JSON_VALUES, SQL_JSON_REPEATS, SQL_JSON_BYTES };
/* In a column of JSON, as a text: what is no JSON yet becomes some. */
enum status sql_json_in_column(const struct cell *cell, enum sql_json_told told,
                               struct arena *arena, struct cell *normal,
                               struct error *error) MUST_USE;
/* Of a normal form in a column of JSON the value again: a text that is JSON is no string of it.
 * What is none stays as it is. */
enum status sql_json_of_normal(const struct cell *normal, struct arena *scratch, struct cell *value,
                               struct error *error) MUST_USE;

#endif
