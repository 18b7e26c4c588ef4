/* Declarations that the files of the exports share. */
#ifndef TRANSHUME_DESIGN_EXPORT_EXPORT_PARTS_H
#define TRANSHUME_DESIGN_EXPORT_EXPORT_PARTS_H

#include "base/name_index.h"
#include "design/export/export_dynamodb.h"
#include "design/export/export_mongodb.h"
#include "model/json_tree.h"

/* `name`, or with a number behind it if that is taken. */
const char *export_unique(struct name_index *taken, const char *name);
/* "Artist_Name" of a field of another entity; an own field's name. */
const char *export_place_name(const struct places *places, uint32_t place, struct arena *arena);

/* A text as a JSON string; what is not UTF-8 in it is made printable. */
json_t *export_text(const char *text);
/* The indexes of each collection, for the queries of the workload; into `documents`. */
void export_mongodb_find_indexes(const struct search *search, struct export_document *documents,
                                 struct export_mongodb *design);

/* Appends the tree, indented, and frees it. */
void export_append_json(json_t *tree, struct buffer *out);

#endif
