/*
 * Types of fields: what a mapping calls them, what kind of value their JSON is read as, and what a
 * field is made for values of a kind.
 *
 * A document's `_source` keeps the JSON that was sent, digit by digit; the type says how it is
 * searched and which values are refused. So what JSON does not tell (is "AP8=" bytes, is 1.50 a
 * decimal?) the field's type says, and of indexes that runs made a note in the mapping:
 *
 *   "_meta": {"transhume": {"table": "Album", "run": "0b6c…", "key": ["AlbumId"],
 *                           "columns": [["AlbumId", "int64"], ["Price", "decimal(10,2)"]]}}
 *
 * (OpenSearch: "Supported field types", "_source", "_meta".)
 */
#ifndef TRANSHUME_CONNECTORS_OPENSEARCH_TYPES_H
#define TRANSHUME_CONNECTORS_OPENSEARCH_TYPES_H

#include "base/buffer.h"
#include "connectors/contract/database.h"
#include <stdbool.h>

enum { OPENSEARCH_TYPE_COUNT = 49 };
extern const struct type_mapping opensearch_types[OPENSEARCH_TYPE_COUNT];

/* The types that the server knows, beside those that all have. */
struct opensearch_dialect {
    bool unsigned_long;
};

/* The kind that a field's JSON is read as, by the mapping's word for it; values of other kinds may
 * occur (`dynamic`). An unknown word: JSON of any kind. */
struct value_type opensearch_type_of(const char *word);
/* As struct catalog_functions has it. */
bool opensearch_native_type(const char *declared, struct value_type *type);
extern const char *const opensearch_native_names[];

/* The name of a kind in a note of the mapping: "int64", "decimal(10,2)", "timestamp_zoned",
 * "text_any" (values of other kinds may occur); and back. False: no note is called so. */
void opensearch_note_append(const struct value_type *type, struct buffer *out);
bool opensearch_note_read(const char *text, struct value_type *type);

/* The JSON of a field's mapping, made for values of the type: {"type":"long"}. `keyed`: its values
 * are parts of keys. */
void opensearch_field_append(const struct opensearch_dialect *dialect,
                             const struct value_type *type, bool keyed, struct buffer *out);
/* The word in it. */
const char *opensearch_field_word(const struct opensearch_dialect *dialect,
                                  const struct value_type *type, bool keyed);

#endif
